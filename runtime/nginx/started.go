package nginx

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/gatewright/gatewright/runtime/process"
)

// startedFrom returns nil when a joined master was started with the prefix and the main file that are written here: else it
// would read others, and all would seem well. The error has the right command.
func (p *Proxy) startedFrom(master int) error {
	prefix, config := started(process.Title(master))
	if isSameFolder(master, prefix, p.Prefix) && p.isConfig(master, prefix, config) {
		return nil
	}
	return fmt.Errorf("nginx (process %d) was started with prefix %s and main file %s, so it doesn't read what is written here: start it "+
		"with `nginx -p %s -c %s`",
		master, named(prefix), named(config), p.Prefix, p.Config)
}

func named(path string) string {
	if path == "" {
		return "(that it was built with)"
	}
	return path
}

func isSameFolder(master int, path, ours string) bool {
	abs, err := process.Absolute(master, path)
	return path != "" && err == nil && process.SameFolder(master, abs, ours)
}

func (p *Proxy) isConfig(master int, prefix, config string) bool {
	if config == "" {
		return false
	}
	if !filepath.IsAbs(config) {
		config = filepath.Join(prefix, config)
	}
	abs, err := process.Absolute(master, config)
	name, relErr := filepath.Rel(p.Prefix, p.Config)
	return err == nil && relErr == nil && process.Below(master, abs, p.Prefix, name)
}

// option begins what nginx takes: letters behind a dash, of which c, e, g, p and s have a value, in the same word or behind
// it.
var option = regexp.MustCompile(`^-([?hvVtTq]*)([cegps]?)(.*)$`)

// started are the values of -p and -c in a master's title, which is its command line with spaces between; "" when there is
// none.
func started(title string) (prefix, config string) {
	values := map[string]string{}
	last := ""
	for word := range strings.SplitSeq(title, " ") {
		match := option.FindStringSubmatch(word)
		switch {
		case match != nil && match[2] != "":
			last = match[2]
			values[last] = match[3]
		case match != nil && match[3] == "":
			last = ""
		case last != "":
			// A path may have spaces.
			values[last] = strings.TrimPrefix(values[last]+" "+word, " ")
		}
	}
	return values["p"], values["c"]
}
