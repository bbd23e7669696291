package generators

import (
	"cmp"
	"io/fs"
	"slices"

	"github.com/gatewright/gatewright/generators/model"
)

// Generator turns the model into the files of one kind of proxy. It is pure: the same input gives the same
// bytes, and nothing is read but the arguments.
type Generator interface {
	// Name is the proxy's name as `--proxy` takes it.
	Name() string
	// Render returns the proxy's files, sorted by path. An error is a fault of the generator or of a
	// template, never of a user's resource: what a resource may say was decided by translate.
	Render(model.Gateways, model.Capabilities) ([]File, error)
}

// File is one rendered file.
type File struct {
	// Path is relative to the output folder, with slashes.
	Path string
	// Data is the whole content.
	Data []byte
	// Secret files hold private keys: nobody but the owner may read them.
	Secret bool
}

// Sort orders files by path, as Render returns them.
func Sort(files []File) {
	slices.SortFunc(files, func(a, b File) int { return cmp.Compare(a.Path, b.Path) })
}

// Layout says what a generator writes.
type Layout string

// The layouts, as `--layout` takes them.
const (
	// LayoutFull is a configuration that the proxy starts from.
	LayoutFull Layout = "full"
	// LayoutInclude is what a team's own configuration includes.
	LayoutInclude Layout = "include"
)

// Options are what every generator is made with. The zero value renders the full layout from the built-in
// templates.
type Options struct {
	Layout Layout
	// Folder is the name that the rendered folder has beside the team's own configuration; paths in
	// LayoutInclude start with it.
	Folder string
	// Marker is the absolute path of the unix socket where the running configuration tells its generation;
	// "" for none.
	Marker string
	// Resolver is the IP address and port where the running configuration asks for the endpoints of clusters
	// by DNS; "" writes them to the files. Proxies without model.FeatureResolve don't ask.
	Resolver string
	// Templates overrides built-in templates by name; nil for none.
	Templates fs.FS
}
