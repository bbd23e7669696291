package proxies

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/gatewright/gatewright/generators"
	"github.com/gatewright/gatewright/generators/model"
)

// GeneratorWith makes the proxy's generator with the templates of a folder, of none when it is "". They are read now, once,
// and tried: one that is broken is told at the start, and doesn't wait for the first object that needs it.
func (k *Kind) GeneratorWith(templates string, g generators.Options, caps model.Capabilities) (generators.Generator, error) {
	var err error
	if g.Templates, err = openTemplates(templates); err != nil {
		return nil, err
	}
	generator := k.Generator(g)
	if g.Templates == nil {
		return generator, nil
	}
	for _, m := range model.Examples(g.Bridge != "") {
		if _, err := generator.Render(m, caps); err != nil {
			return nil, fmt.Errorf("--templates %s: %w: mend the template, or remove its file so that the built-in one is taken", templates, err)
		}
	}
	return generator, nil
}

// openTemplates returns the folder; nil when there is none.
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
	for _, name := range Names() {
		if found, err := filepath.Glob(filepath.Join(dir, name, "*.tmpl")); err != nil || len(found) > 0 {
			return os.DirFS(dir), err
		}
	}
	return nil, fmt.Errorf("--templates %s: there is no template in it: they are files %s", dir,
		filepath.Join(dir, strings.Join(Names(), " or "), "*.tmpl"))
}
