package haproxy

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/gatewright/gatewright/runtime/process"
)

// startedFrom returns nil when a joined master was started with the main file that is written here: else it would read
// others, and all would seem well. The error has the right command.
func (p *Proxy) startedFrom(master int) error {
	name, err := filepath.Rel(p.State, p.Config)
	if err != nil {
		return err
	}
	dir, files := started(process.Arguments(master))
	for _, file := range files {
		abs, err := process.Absolute(master, filepath.Join(dir, file))
		if filepath.IsAbs(file) {
			abs, err = file, nil
		}
		// A folder stands for all files in it.
		if err == nil && (process.Below(master, abs, p.State, name) || process.Below(master, abs, p.State, filepath.Dir(name))) {
			return nil
		}
	}
	return fmt.Errorf("HAProxy (process %d) was started with the files %s, so it doesn't read what is written here: start it with `haproxy "+
		"-W -S %s -f %s`",
		master, strings.Join(files, ", "), filepath.Join(p.State, socketName), p.Config)
}

// started are the folder that HAProxy was told to work in, "" for none, and its files, of its command line.
func started(arguments []string) (dir string, files []string) {
	for i := 1; i < len(arguments); i++ {
		switch next := min(i+1, len(arguments)-1); arguments[i] {
		case "--":
			return dir, append(files, arguments[i+1:]...)
		case "-f":
			files = append(files, arguments[next])
			i++
		case "-C":
			dir = arguments[next]
			i++
		}
	}
	return dir, files
}
