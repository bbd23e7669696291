package main

import (
	"debug/buildinfo"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/gatewright/gatewright/deploy/parts"
)

// options are the flags.
type options struct {
	out, version  string
	architectures []string
}

func main() {
	var o options
	var architectures string
	flag.StringVar(&o.out, "out", "bin/deb", "folder for the packages")
	flag.StringVar(&o.version, "version", "", "the release that the binary tells, as `git describe` does")
	flag.StringVar(&architectures, "arch", "amd64,arm64", "architectures")
	flag.Parse()
	o.architectures = strings.Split(architectures, ",")
	if err := o.make(); err != nil {
		fmt.Fprintln(os.Stderr, "deb:", err)
		os.Exit(1)
	}
}

// make builds all and writes a package for each architecture.
func (o *options) make() error {
	work, err := os.MkdirTemp("", "gatewright-deb-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(work) }() // It is only in the way.
	if err := os.MkdirAll(o.out, 0o755); err != nil {
		return err
	}
	for _, arch := range o.architectures {
		binary := filepath.Join(work, arch)
		info, err := parts.Build(arch, o.version, binary)
		if err != nil {
			return err
		}
		p, err := o.packageOf(arch, binary, info)
		if err != nil {
			return err
		}
		data, err := p.bytes()
		if err != nil {
			return err
		}
		file := filepath.Join(o.out, fmt.Sprintf("gatewright_%s_%s.deb", p.version, arch))
		if err := os.WriteFile(file, data, 0o644); err != nil {
			return err
		}
		fmt.Printf("%s %.1f MB\n", file, float64(len(data))/1e6)
	}
	return nil
}

// packageOf is the package with a binary.
func (o *options) packageOf(arch, binary string, info *buildinfo.BuildInfo) (*debianPackage, error) {
	at := parts.Created(info)
	p := &debianPackage{version: debianVersion(o.version, at), arch: arch, at: at, files: map[string][]byte{}, modes: map[string]int64{}}
	if err := p.add(binary, info); err != nil {
		return nil, err
	}
	return p, nil
}
