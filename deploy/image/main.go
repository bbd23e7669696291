package main

import (
	"debug/buildinfo"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/gatewright/gatewright/deploy/parts"
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
		info, err := parts.Build(arch, o.version, binary)
		if err != nil {
			return err
		}
		layer, err := o.layer(binary, info)
		if err != nil {
			return err
		}
		size, err := l.add(arch, layer, labels(o.version, info), parts.Created(info).Format(time.RFC3339))
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
	if commit := parts.Setting(info, "vcs.revision"); commit != "" {
		out["org.opencontainers.image.revision"] = commit
	}
	return out
}
