package parts

import (
	"bytes"
	"debug/buildinfo"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
)

// linked are the modules that a binary has in it, as they were compiled.
func linked(info *buildinfo.BuildInfo) []debug.Module {
	var out []debug.Module
	for _, m := range info.Deps {
		if m.Replace != nil {
			m = m.Replace
		}
		out = append(out, *m)
	}
	return out
}

// Licences are those of all that is linked, Go's library and gatewright's own among them, by MODULE@VERSION/FILE. A module without one is an
// error. The working folder is the repository's.
func Licences(info *buildinfo.BuildInfo) (map[string][]byte, error) {
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return nil, fmt.Errorf("go env GOROOT: %w", err)
	}
	places := map[string]string{"go": strings.TrimSpace(string(root)), "gatewright": "."}
	args := []string{"list", "-m", "-json=Path,Version,Dir"}
	for _, m := range linked(info) {
		args = append(args, m.Path+"@"+m.Version)
	}
	list, err := exec.Command("go", args...).Output()
	if err != nil {
		return nil, fmt.Errorf("where the modules are: go list: %w", err)
	}
	for d := json.NewDecoder(bytes.NewReader(list)); d.More(); {
		var m struct{ Path, Version, Dir string }
		if err := d.Decode(&m); err != nil {
			return nil, err
		}
		places[m.Path+"@"+m.Version] = m.Dir
	}
	files := map[string][]byte{}
	var errs []error
	for name, dir := range places {
		found, err := licencesIn(dir)
		if err == nil && len(found) == 0 {
			err = errors.New("it has no file with its licence")
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("the licence of %s: %w", name, err))
		}
		for file, text := range found {
			files[name+"/"+file] = text
		}
	}
	return files, errors.Join(errs...)
}

// licencesIn are the licences and notices at the top of a folder.
func licencesIn(dir string) (map[string][]byte, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	out := map[string][]byte{}
	for _, e := range entries {
		name := strings.ToUpper(e.Name())
		if !e.Type().IsRegular() || !slices.ContainsFunc([]string{"LICENSE", "LICENCE", "COPYING", "NOTICE"}, func(prefix string) bool {
			return strings.HasPrefix(name, prefix)
		}) {
			continue
		}
		if out[e.Name()], err = os.ReadFile(filepath.Join(dir, e.Name())); err != nil {
			return nil, err
		}
	}
	return out, nil
}
