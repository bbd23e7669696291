package main

import (
	"bytes"
	"compress/gzip"
	"crypto/md5" // What dpkg compares files by.
	"debug/buildinfo"
	"embed"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/gatewright/gatewright/deploy/parts"
)

// root is what is installed as it stands, and control what Debian's tools run and read.
var (
	//go:embed all:root
	root embed.FS
	//go:embed control
	control embed.FS
)

// debianPackage is a package that is made.
type debianPackage struct {
	version, arch string
	at            time.Time
	files         map[string][]byte
	modes         map[string]int64
}

// described is a version of git describe: a tag, and how many commits came after it.
var described = regexp.MustCompile(`^v?([0-9][0-9A-Za-z.+~-]*?)(?:-([0-9]+)-(g[0-9a-f]+))?$`)

// debianVersion is how Debian writes a version: releases sort behind their candidates, and commits behind the release that they follow. One
// without a tag sorts before all releases.
func debianVersion(version string, at time.Time) string {
	m := described.FindStringSubmatch(version)
	if m == nil || !strings.Contains(m[1], ".") {
		return strings.TrimSuffix("0~"+at.Format("20060102")+"."+regexp.MustCompile(`[^0-9A-Za-z.]`).ReplaceAllString(version, ""), ".")
	}
	out := strings.ReplaceAll(m[1], "-", "~")
	if m[2] != "" {
		out += "+" + m[2] + "." + m[3]
	}
	return out
}

// add adds all that is installed.
func (p *debianPackage) add(binary string, info *buildinfo.BuildInfo) error {
	program, err := os.ReadFile(binary)
	if err != nil {
		return err
	}
	p.files["usr/bin/gatewright"], p.modes["usr/bin/gatewright"] = program, 0o755
	if err := p.addTree(root, "root", ""); err != nil {
		return err
	}
	units, err := fs.Glob(os.DirFS("deploy/systemd"), "*.service")
	if err != nil || len(units) == 0 {
		return fmt.Errorf("deploy/systemd: no units: run it at the top of the repository (%v)", err)
	}
	for _, name := range units {
		if p.files["lib/systemd/system/"+name], err = os.ReadFile(path.Join("deploy/systemd", name)); err != nil {
			return err
		}
	}
	p.files["etc/gatewright/manifests/"] = nil
	for shell, file := range map[string]string{
		"bash": "usr/share/bash-completion/completions/gatewright", "zsh": "usr/share/zsh/vendor-completions/_gatewright",
		"fish": "usr/share/fish/vendor_completions.d/gatewright.fish",
	} {
		// By a binary for this machine: that of the package may be for another one.
		if p.files[file], err = exec.Command("go", "run", "./cmd/gatewright", "completion", shell).Output(); err != nil {
			return fmt.Errorf("the completion for %s: %w", shell, err)
		}
	}
	return p.addDocs(info)
}

func (p *debianPackage) addDocs(info *buildinfo.BuildInfo) error {
	const docs = "usr/share/doc/gatewright/"
	licences, err := parts.Licences(info)
	if err != nil {
		return err
	}
	for name, text := range licences {
		p.files[docs+"licences/"+name] = text
	}
	if p.files[docs+"sbom.cdx.json"], err = parts.Bill(p.version, info); err != nil {
		return err
	}
	news, err := os.ReadFile("CHANGELOG.md")
	if err != nil {
		return err
	}
	for name, text := range map[string][]byte{
		"NEWS.md.gz": news,
		"changelog.gz": fmt.Appendf(nil, "gatewright (%s) stable; urgency=medium\n\n  * %s\n\n -- %s  %s\n", p.version,
			"See /usr/share/doc/gatewright/NEWS.md.gz.", maintainer, p.at.Format(time.RFC1123Z)),
	} {
		if p.files[docs+name], err = compressed(text); err != nil {
			return err
		}
	}
	return nil
}

// addTree adds the files of an embedded folder.
func (p *debianPackage) addTree(tree fs.FS, from, to string) error {
	return fs.WalkDir(tree, from, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := fs.ReadFile(tree, name)
		p.files[to+strings.TrimPrefix(name, from+"/")] = text
		return err
	})
}

// maintainer is whom a package is from.
const maintainer = "The gatewright authors <gatewright@users.noreply.github.com>"

// fields are the package's own description.
func (p *debianPackage) fields() string {
	size := 0
	for _, text := range p.files {
		size += (len(text) + 1023) / 1024
	}
	return fmt.Sprintf(`Package: gatewright
Version: %s
Architecture: %s
Maintainer: %s
Installed-Size: %d
Depends: adduser
Recommends: nginx | haproxy
Suggests: logrotate
Section: net
Priority: optional
Homepage: https://github.com/gatewright/gatewright
Description: Gateway API routes on the nginx or HAProxy that is there
 Turns GRPCRoutes and HTTPRoutes of the Kubernetes Gateway API into the
 configuration of nginx or HAProxy, has the proxy check it, reloads the proxy
 with no call lost, and tells in their statuses what is served. Routes come
 from manifests in a folder or from a cluster.
`, p.version, p.arch, maintainer, size)
}

// bytes are the file that dpkg installs.
func (p *debianPackage) bytes() ([]byte, error) {
	tarred, err := parts.Tar(p.at, "./", p.files, p.modes)
	if err != nil {
		return nil, err
	}
	data, err := compressed(tarred)
	if err != nil {
		return nil, err
	}
	about := &debianPackage{files: map[string][]byte{"control": []byte(p.fields())}, modes: map[string]int64{}}
	if err := about.addTree(control, "control", ""); err != nil {
		return nil, err
	}
	for _, script := range []string{"postinst", "prerm", "postrm"} {
		about.modes[script] = 0o755
	}
	var sums, conf strings.Builder
	for _, name := range slices.Sorted(maps.Keys(p.files)) {
		switch {
		case strings.HasSuffix(name, "/"):
		case strings.HasPrefix(name, "etc/"):
			conf.WriteString("/" + name + "\n")
		default:
			fmt.Fprintf(&sums, "%x  %s\n", md5.Sum(p.files[name]), name)
		}
	}
	about.files["md5sums"], about.files["conffiles"] = []byte(sums.String()), []byte(conf.String())
	if tarred, err = parts.Tar(p.at, "./", about.files, about.modes); err != nil {
		return nil, err
	}
	description, err := compressed(tarred)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	out.WriteString("!<arch>\n")
	for _, m := range []struct {
		name string
		data []byte
	}{{"debian-binary", []byte("2.0\n")}, {"control.tar.gz", description}, {"data.tar.gz", data}} {
		fmt.Fprintf(&out, "%-16s%-12d%-6d%-6d%-8s%-10d`\n", m.name, p.at.Unix(), 0, 0, "100644", len(m.data))
		out.Write(m.data)
		if len(m.data)%2 == 1 {
			out.WriteByte('\n')
		}
	}
	return out.Bytes(), nil
}

// compressed is a text by gzip, without a time or a name in it.
func compressed(text []byte) ([]byte, error) {
	var out bytes.Buffer
	w, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	if err == nil {
		_, err = w.Write(text)
	}
	if err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}
