package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/gatewright/gatewright/generators"
	"github.com/gatewright/gatewright/generators/model"
)

// generator makes the proxy's generator with the templates of --templates. They are read now, once, and tried: one that
// is broken ends the command at its start, and doesn't wait for the first object that needs it.
func (o *options) generator(g generators.Options, caps model.Capabilities) (generators.Generator, error) {
	var err error
	if g.Templates, err = openTemplates(o.templates); err != nil {
		return nil, err
	}
	generator := proxyNamed(o.proxy).generator(g)
	if g.Templates == nil {
		return generator, nil
	}
	if _, err := generator.Render(model.Example(), caps); err != nil {
		return nil, fmt.Errorf("--templates %s: %w: mend the template, or remove its file so that the built-in one is taken", o.templates, err)
	}
	return generator, nil
}

// openTemplates returns the folder of --templates; nil when there is none.
func openTemplates(dir string) (fs.FS, error) {
	if dir == "" {
		return nil, nil
	}
	info, err := os.Stat(dir)
	if err != nil {
		return nil, fmt.Errorf("--templates: %w", err)
	}
	if !info.IsDir() {
		return nil, fmt.Errorf("--templates %s: it is a file: name the folder of the templates", dir)
	}
	for _, name := range proxyNames() {
		if found, err := filepath.Glob(filepath.Join(dir, name, "*.tmpl")); err != nil || len(found) > 0 {
			return os.DirFS(dir), err
		}
	}
	return nil, fmt.Errorf("--templates %s: there is no template in it: they are files %s", dir,
		filepath.Join(dir, either(proxyNames()), "*.tmpl"))
}
