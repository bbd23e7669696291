package main

import (
	"archive/tar"
	"bytes"
	"debug/buildinfo"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"time"
)

// user is whom the image runs as: nobody's number that has a name in it.
const user = "65532"

// layer is the image's one layer, a tar file.
func (o *options) layer(binary string, info *buildinfo.BuildInfo) ([]byte, error) {
	program, err := os.ReadFile(binary)
	if err != nil {
		return nil, err
	}
	roots, err := os.ReadFile(o.roots)
	if err != nil {
		return nil, fmt.Errorf("roots of certificate authorities: %w: install Debian's ca-certificates, or name a file with -roots", err)
	}
	bill, err := billOf(o.version, info)
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{
		"gatewright": program, "etc/ssl/certs/ca-certificates.crt": roots, "sbom.cdx.json": bill,
		"etc/passwd": []byte("gatewright:x:" + user + ":" + user + ":gatewright:/:/gatewright\n"),
		"etc/group":  []byte("gatewright:x:" + user + ":\n"),
	}
	if err := addLicences(files, info); err != nil {
		return nil, err
	}
	return pack(files, map[string]int64{"gatewright": 0o755})
}

// pack makes a tar file that depends on nothing but what is in it. Files have mode 0644 unless modes says otherwise.
func pack(files map[string][]byte, modes map[string]int64) ([]byte, error) {
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	folders := map[string]bool{".": true}
	epoch := time.Unix(0, 0)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		for _, folder := range above(name) {
			if folders[folder] {
				continue
			}
			folders[folder] = true
			if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: folder + "/", Mode: 0o755, ModTime: epoch}); err != nil {
				return nil, err
			}
		}
		mode := int64(0o644)
		if special, ok := modes[name]; ok {
			mode = special
		}
		head := &tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: mode, Size: int64(len(files[name])), ModTime: epoch}
		if err := w.WriteHeader(head); err != nil {
			return nil, err
		}
		if _, err := w.Write(files[name]); err != nil {
			return nil, err
		}
	}
	return out.Bytes(), w.Close()
}

// above are the folders of a file, the outermost first.
func above(name string) []string {
	var out []string
	for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
		out = append(out, dir)
	}
	slices.Reverse(out)
	return out
}

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

// addLicences adds the licences of all that is linked, Go's library and gatewright's own among them. A module without one is an error.
func addLicences(files map[string][]byte, info *buildinfo.BuildInfo) error {
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return fmt.Errorf("go env GOROOT: %w", err)
	}
	places := map[string]string{"go": strings.TrimSpace(string(root)), "gatewright": "."}
	args := []string{"list", "-m", "-json=Path,Version,Dir"}
	for _, m := range linked(info) {
		args = append(args, m.Path+"@"+m.Version)
	}
	list, err := exec.Command("go", args...).Output()
	if err != nil {
		return fmt.Errorf("where the modules are: go list: %w", err)
	}
	for d := json.NewDecoder(bytes.NewReader(list)); d.More(); {
		var m struct{ Path, Version, Dir string }
		if err := d.Decode(&m); err != nil {
			return err
		}
		places[m.Path+"@"+m.Version] = m.Dir
	}
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
			files["licences/"+name+"/"+file] = text
		}
	}
	return errors.Join(errs...)
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

// billOf is the bill of materials, in CycloneDX's JSON.
func billOf(version string, info *buildinfo.BuildInfo) ([]byte, error) {
	type component struct {
		Type    string `json:"type"`
		Name    string `json:"name"`
		Version string `json:"version,omitempty"`
		PURL    string `json:"purl"`
	}
	module := func(kind, name, version string) component {
		purl := "pkg:golang/" + name
		if version != "" {
			purl += "@" + version
		}
		return component{Type: kind, Name: name, Version: version, PURL: purl}
	}
	bill := struct {
		Format     string      `json:"bomFormat"`
		Spec       string      `json:"specVersion"`
		Version    int         `json:"version"`
		Metadata   any         `json:"metadata"`
		Components []component `json:"components"`
	}{Format: "CycloneDX", Spec: "1.5", Version: 1, Metadata: map[string]any{"component": module("application", info.Main.Path, version)}}
	bill.Components = append(bill.Components, module("library", "std", strings.TrimPrefix(info.GoVersion, "go")))
	for _, m := range linked(info) {
		bill.Components = append(bill.Components, module("library", m.Path, m.Version))
	}
	return json.MarshalIndent(bill, "", " ")
}
