package serve

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/gatewright/gatewright/runtime/process"
	"github.com/gatewright/gatewright/runtime/proxies"
)

// entryKind is what an Entry knows of one kind of proxy.
type entryKind struct {
	// complete adds to the arguments of a proxy what starts it in the foreground with a main file below a state folder, and refuses
	// those that say otherwise.
	complete func(args []string, state, config string) ([]string, error)
	// program has the signals that end it, reload is the one that has it read its files again, and also are those that mean the same
	// to it as to us.
	program process.Program
	reload  unix.Signal
	also    []unix.Signal
	// attach is what a Sidecar finds it by, below the state folder; "" for the only one of its kind.
	attach string
}

// masterName is the socket of an HAProxy that an Entry starts, below the state folder.
const masterName = "master.sock"

var entryKinds = map[string]entryKind{
	"nginx": {complete: completeNginx, reload: unix.SIGHUP, also: []unix.Signal{unix.SIGUSR1},
		program: process.Program{Name: "nginx", Drain: unix.SIGQUIT, Stop: unix.SIGTERM}},
	"haproxy": {complete: completeHAProxy, reload: unix.SIGUSR2, attach: masterName,
		program: process.Program{Name: "HAProxy", Drain: unix.SIGUSR1, Stop: unix.SIGTERM, DrainChildren: true}},
}

// proxyOf finds the proxy among the words of a command: its first one, or one that a script is given, such as an image's own.
func proxyOf(command []string) (kind *proxies.Kind, at int, err error) {
	for i, word := range command {
		if k := proxies.Named(filepath.Base(word)); k != nil {
			return k, i, nil
		}
	}
	return nil, 0, fmt.Errorf("the command names no proxy: write it behind --, such as -- nginx -g 'daemon off;' (known are %s)",
		strings.Join(proxies.Names(), " and "))
}

// completeNginx is complete for nginx, whose options have their value in the same word or the next one.
func completeNginx(args []string, state, config string) ([]string, error) {
	given := map[byte]string{}
	for i := 0; i < len(args); i++ {
		word := args[i]
		if len(word) < 2 || word[0] != '-' {
			return nil, fmt.Errorf("nginx takes no argument %q", word)
		}
		letter, value := word[1], word[2:]
		switch {
		case !strings.ContainsRune("cegp", rune(letter)):
			return nil, fmt.Errorf("%s isn't for an nginx that is to serve: leave it away", word)
		case value == "" && i+1 == len(args):
			return nil, fmt.Errorf("%s has no value", word)
		case value == "":
			i++
			value = args[i]
		}
		given[letter] += value
	}
	out := slices.Clone(args)
	for _, option := range []struct {
		letter byte
		want   string
	}{{'p', state}, {'c', config}} {
		switch value, ok := given[option.letter]; {
		case !ok:
			out = append(out, "-"+string(option.letter), option.want)
		case filepath.Clean(value) != option.want:
			return nil, fmt.Errorf("-%c %s: nginx reads %s here, which is what gatewright changes: leave the option away", option.letter, value,
				option.want)
		}
	}
	if _, ok := given['e']; !ok {
		out = append(out, "-e", "stderr")
	}
	switch directives := strings.Join(strings.Fields(given['g']), " "); {
	case strings.Contains(directives, "daemon on;"):
		return nil, errors.New("-g 'daemon on;': nginx has to stay in the foreground")
	case !strings.Contains(directives, "daemon off;"):
		if given['g'] != "" {
			return nil, errors.New("-g: it has to have daemon off; among its directives, so that nginx stays in the foreground")
		}
		out = append(out, "-g", "daemon off;")
	}
	return out, nil
}

// completeHAProxy is complete for HAProxy.
func completeHAProxy(args []string, state, config string) ([]string, error) {
	var files []string
	for i, word := range args {
		switch {
		case word == "-D":
			return nil, errors.New("-D: HAProxy has to stay in the foreground: leave it away")
		case word == "-f" && i+1 < len(args):
			files = append(files, args[i+1])
		}
	}
	out := slices.Clone(args)
	if !slices.ContainsFunc(args, func(word string) bool { return word == "-W" || word == "-Ws" }) {
		out = append(out, "-W")
	}
	if !slices.Contains(args, "-S") {
		out = append(out, "-S", filepath.Join(state, masterName)+",mode,600")
	}
	switch {
	case len(files) == 0:
		out = append(out, "-f", config)
	case !slices.ContainsFunc(files, func(file string) bool {
		return filepath.Clean(file) == config || filepath.Clean(file) == filepath.Dir(config)
	}):
		return nil, fmt.Errorf("-f %s: HAProxy reads %s here, which is what gatewright changes: leave the option away, or name that file too",
			files[0], config)
	}
	return out, nil
}
