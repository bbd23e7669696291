package main

import (
	"debug/buildinfo"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// options are the flags.
type options struct {
	out, version, roots string
	architectures       []string
}

func main() {
	var o options
	var architectures string
	flag.StringVar(&o.out, "out", "bin/image", "folder for the OCI layout; beside it goes the same as FOLDER.tar")
	flag.StringVar(&o.version, "version", "", "the release that the binary tells")
	flag.StringVar(&o.roots, "roots", "/etc/ssl/certs/ca-certificates.crt", "file with the roots of certificate authorities")
	flag.StringVar(&architectures, "arch", "amd64,arm64", "architectures")
	flag.Parse()
	o.architectures = strings.Split(architectures, ",")
	if err := o.make(); err != nil {
		fmt.Fprintln(os.Stderr, "image:", err)
		os.Exit(1)
	}
}

// make builds all and writes the layout.
func (o *options) make() error {
	work, err := os.MkdirTemp("", "gatewright-image-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(work) }() // It is only in the way.
	l := newLayout()
	for _, arch := range o.architectures {
		binary := filepath.Join(work, arch)
		if err := o.build(arch, binary); err != nil {
			return err
		}
		info, err := buildinfo.ReadFile(binary)
		if err != nil {
			return err
		}
		layer, err := o.layer(binary, info)
		if err != nil {
			return err
		}
		size, err := l.add(arch, layer, labels(o.version, info), created(info))
		if err != nil {
			return err
		}
		fmt.Printf("linux/%s %.1f MB compressed\n", arch, float64(size)/1e6)
	}
	digest, err := l.write(o.out)
	if err == nil {
		fmt.Println(digest)
	}
	return err
}

// build builds the binary as `make build` does.
func (o *options) build(arch, binary string) error {
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w -X main.version="+o.version, "-o", binary, "./cmd/gatewright")
	cmd.Env = append(os.Environ(), "GOOS=linux", "GOARCH="+arch, "CGO_ENABLED=0")
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("build for %s: %w", arch, err)
	}
	return nil
}

// setting is what the Go tool has noted in a binary under a key.
func setting(info *buildinfo.BuildInfo, key string) string {
	for _, s := range info.Settings {
		if s.Key == key {
			return s.Value
		}
	}
	return ""
}

// created is the time of the commit, so that two builds of it agree.
func created(info *buildinfo.BuildInfo) string {
	if at := setting(info, "vcs.time"); at != "" {
		return at
	}
	return time.Unix(0, 0).UTC().Format(time.RFC3339)
}

// labels tell where the image comes from.
func labels(version string, info *buildinfo.BuildInfo) map[string]string {
	out := map[string]string{
		"org.opencontainers.image.title":       "gatewright",
		"org.opencontainers.image.description": "Gateway API GRPCRoutes and HTTPRoutes on the nginx or HAProxy that you already run",
		"org.opencontainers.image.source":      "https://" + info.Main.Path,
		"org.opencontainers.image.licenses":    "Apache-2.0",
	}
	if version != "" {
		out["org.opencontainers.image.version"] = version
	}
	if commit := setting(info, "vcs.revision"); commit != "" {
		out["org.opencontainers.image.revision"] = commit
	}
	return out
}
