package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestImage: two builds have one digest, and the image has what it has to.
func TestImage(t *testing.T) {
	t.Chdir("../..")
	var made []string
	for _, name := range []string{"one", "two"} {
		out := filepath.Join(t.TempDir(), name)
		o := options{out: out, version: "v1.2.3", roots: "/etc/ssl/certs/ca-certificates.crt", architectures: []string{"amd64"}}
		if err := o.make(); err != nil {
			t.Fatal(err)
		}
		made = append(made, out)
	}
	for _, name := range []string{"one.tar", "index.json"} {
		paths := []string{made[0] + ".tar", made[1] + ".tar"}
		if name == "index.json" {
			paths = []string{filepath.Join(made[0], name), filepath.Join(made[1], name)}
		}
		if a, b := read(t, paths[0]), read(t, paths[1]); !bytes.Equal(a, b) {
			t.Errorf("two builds differ in %s", name)
		}
	}
	l := made[0]
	var top, index, manifest struct {
		Manifests []descriptor
		Config    descriptor
		Layers    []descriptor
	}
	decode(t, read(t, filepath.Join(l, "index.json")), &top)
	decode(t, blob(t, l, top.Manifests[0]), &index)
	decode(t, blob(t, l, index.Manifests[0]), &manifest)
	if p := index.Manifests[0].Platform; p["os"] != "linux" || p["architecture"] != "amd64" {
		t.Errorf("the platform is %v", p)
	}
	var config struct {
		Config struct {
			User       string
			Entrypoint []string
			Labels     map[string]string
		}
		RootFS struct {
			DiffIDs []string `json:"diff_ids"`
		}
	}
	decode(t, blob(t, l, manifest.Config), &config)
	c := config.Config
	if c.User != "65532:65532" || !slices.Equal(c.Entrypoint, []string{"/gatewright"}) ||
		c.Labels["org.opencontainers.image.version"] != "v1.2.3" {
		t.Errorf("the configuration is %+v", c)
	}
	r, err := gzip.NewReader(bytes.NewReader(blob(t, l, manifest.Layers[0])))
	if err != nil {
		t.Fatal(err)
	}
	layer, err := io.ReadAll(r)
	if err != nil || config.RootFS.DiffIDs[0] != "sha256:"+digestOf(layer) {
		t.Errorf("the layer isn't the one of the configuration (%v)", err)
	}
	if size := manifest.Layers[0].Size; size > 20e6 {
		t.Errorf("it takes %d bytes to fetch it, more than 20 MB", size)
	}
	checkLayer(t, layer)
}

// checkLayer looks at the files.
func checkLayer(t *testing.T, layer []byte) {
	t.Helper()
	list := exec.Command("tar", "--list", "--file", "-")
	list.Stdin = bytes.NewReader(layer)
	if out, err := list.CombinedOutput(); err != nil {
		t.Errorf("tar can't read the layer: %v: %.500s", err, out)
	}
	files := map[string][]byte{}
	for r := tar.NewReader(bytes.NewReader(layer)); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		want := int64(0o644)
		if h.Name == "gatewright" || h.Typeflag == tar.TypeDir {
			want = 0o755
		}
		if h.Mode != want || h.Uid != 0 || h.Gid != 0 || h.ModTime.Unix() != 0 {
			t.Errorf("%s has mode %o, owner %d:%d, time %v", h.Name, h.Mode, h.Uid, h.Gid, h.ModTime)
		}
		if files[h.Name], err = io.ReadAll(r); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Contains(files["etc/ssl/certs/ca-certificates.crt"], []byte("BEGIN CERTIFICATE")) {
		t.Error("there are no roots of certificate authorities")
	}
	var bill struct {
		Components []struct{ Name, Version string }
	}
	decode(t, files["sbom.cdx.json"], &bill)
	if len(bill.Components) < 20 {
		t.Errorf("the bill has %d components", len(bill.Components))
	}
	for _, c := range bill.Components {
		at := "licences/" + c.Name + "@" + c.Version + "/"
		if c.Name == "std" {
			at = "licences/go/"
		}
		if !slices.ContainsFunc(names(files), func(name string) bool { return strings.HasPrefix(name, at) }) {
			t.Errorf("%s has no licence in the image", c.Name)
		}
	}
}

func names(files map[string][]byte) []string {
	var out []string
	for name := range files {
		out = append(out, name)
	}
	return out
}

func blob(t *testing.T, layout string, d descriptor) []byte {
	t.Helper()
	data := read(t, filepath.Join(layout, "blobs", "sha256", strings.TrimPrefix(d.Digest, "sha256:")))
	if len(data) != d.Size || "sha256:"+digestOf(data) != d.Digest {
		t.Errorf("a blob isn't what %+v says", d)
	}
	return data
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func decode(t *testing.T, data []byte, into any) {
	t.Helper()
	if err := json.Unmarshal(data, into); err != nil {
		t.Fatalf("%v in %.200s", err, data)
	}
}
