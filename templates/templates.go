package templates

import (
	"embed"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"text/template"
)

// FS holds the built-in templates: a folder for each proxy.
//
//go:embed haproxy nginx
var FS embed.FS

// Parse reads the built-in templates of a proxy, and what overrides them by the same path; overrides may be nil.
// Each is named by its file. An override that no built-in template has the name of is an error.
func Parse(proxy string, overrides fs.FS) (*template.Template, error) {
	t := template.New(proxy).Option("missingkey=error")
	names, err := fs.Glob(FS, proxy+"/*.tmpl")
	if err != nil {
		return nil, err
	}
	known := map[string]bool{}
	for _, name := range names {
		known[name] = true
		if err := parseOne(t, FS, name); err != nil {
			return nil, err
		}
	}
	if overrides == nil {
		return t, nil
	}
	own, err := fs.Glob(overrides, proxy+"/*.tmpl")
	if err != nil {
		return nil, err
	}
	for _, name := range own {
		if !known[name] {
			return nil, fmt.Errorf("there is no template %s to override: the names are %s", name, strings.Join(names, ", "))
		}
		if err := parseOne(t, overrides, name); err != nil {
			return nil, err
		}
	}
	return t, nil
}

func parseOne(t *template.Template, from fs.FS, name string) error {
	text, err := fs.ReadFile(from, name)
	if err != nil {
		return fmt.Errorf("template %s: %w", name, err)
	}
	_, err = t.New(path.Base(name)).Parse(string(text))
	return err
}
