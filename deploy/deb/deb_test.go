package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gatewright/gatewright/deploy/parts"
)

// TestVersions: dpkg orders versions as their commits follow each other.
func TestVersions(t *testing.T) {
	at := time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
	versions := []string{"", "b694638", "v0.9.0-rc.1", "v0.9.0-rc.1-3-gabc1234", "v0.9.0", "v0.9.0-12-gabc1234", "v0.10.0"}
	want := []string{"0~20261201", "0~20261201.b694638", "0.9.0~rc.1", "0.9.0~rc.1+3.gabc1234", "0.9.0", "0.9.0+12.gabc1234", "0.10.0"}
	for i, v := range versions {
		got := debianVersion(v, at)
		if got != want[i] {
			t.Errorf("%q is %q, want %q", v, got, want[i])
		}
		if i > 1 { // Those before have no tag to tell them apart by.
			if err := exec.Command("dpkg", "--compare-versions", debianVersion(versions[i-1], at), "lt", got).Run(); err != nil {
				t.Errorf("%q doesn't sort behind %q: %v", got, debianVersion(versions[i-1], at), err)
			}
		}
	}
}

// TestPackage: a package is the same each time it is made, and Debian's tools have nothing against it.
func TestPackage(t *testing.T) {
	t.Chdir("../..")
	dir := t.TempDir()
	o := options{version: "v1.2.3"}
	binary := filepath.Join(dir, "gatewright")
	info, err := parts.Build("amd64", o.version, binary)
	if err != nil {
		t.Fatal(err)
	}
	var made [][]byte
	for range 2 {
		p, err := o.packageOf("amd64", binary, info)
		if err != nil {
			t.Fatal(err)
		}
		data, err := p.bytes()
		if err != nil {
			t.Fatal(err)
		}
		made = append(made, data)
	}
	if !bytes.Equal(made[0], made[1]) {
		t.Error("two packages of one binary differ")
	}
	file := filepath.Join(dir, "gatewright_1.2.3_amd64.deb")
	if err := os.WriteFile(file, made[0], 0o644); err != nil {
		t.Fatal(err)
	}
	contents := said(t, "dpkg-deb", "--contents", file)
	for _, want := range []string{
		"-rwxr-xr-x 0/0 ", " ./usr/bin/gatewright\n", " ./lib/systemd/system/gatewright.service\n", " ./lib/systemd/system/gatewright-controller.service\n",
		" ./lib/systemd/system/gatewright-files.service\n", " ./etc/default/gatewright\n", " ./etc/gatewright/manifests/\n",
		" ./usr/share/doc/gatewright/licences/gatewright/LICENSE\n", " ./usr/share/bash-completion/completions/gatewright\n",
	} {
		if !strings.Contains(contents, want) {
			t.Errorf("the package has no %q:\n%s", want, contents)
		}
	}
	if got := said(t, "dpkg-deb", "--field", file, "Package", "Version", "Architecture", "Depends"); got !=
		"Package: gatewright\nVersion: 1.2.3\nArchitecture: amd64\nDepends: adduser\n" {
		t.Errorf("%s", got)
	}
}

func said(t *testing.T, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	var errors strings.Builder
	cmd.Stderr = &errors
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v: %s", name, err, errors.String())
	}
	return string(out)
}
