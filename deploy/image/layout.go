package main

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/gatewright/gatewright/deploy/parts"
)

// descriptor names a blob, as the OCI image specification has it.
type descriptor struct {
	MediaType string            `json:"mediaType"`
	Digest    string            `json:"digest"`
	Size      int               `json:"size"`
	Platform  map[string]string `json:"platform,omitempty"`
}

const oci = "application/vnd.oci.image."

// layout is an OCI image layout: the files of its folder, and the image of each architecture.
type layout struct {
	files  map[string][]byte
	images []descriptor
}

func newLayout() *layout {
	return &layout{files: map[string][]byte{"oci-layout": []byte(`{"imageLayoutVersion":"1.0.0"}`)}}
}

func digestOf(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// blob adds a file that is named by its digest.
func (l *layout) blob(mediaType string, data []byte) descriptor {
	digest := digestOf(data)
	l.files["blobs/sha256/"+digest] = data
	return descriptor{MediaType: mediaType, Digest: "sha256:" + digest, Size: len(data)}
}

func (l *layout) object(mediaType string, value any) (descriptor, error) {
	data, err := json.Marshal(value)
	return l.blob(mediaType, data), err
}

// add adds the image of an architecture, and returns how large it is to be fetched.
func (l *layout) add(arch string, layer []byte, labels map[string]string, created string) (size int, err error) {
	var packed bytes.Buffer
	w, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	if err != nil {
		return 0, err
	}
	_, err = w.Write(layer)
	if err = errors.Join(err, w.Close()); err != nil {
		return 0, err
	}
	blob := l.blob(oci+"layer.v1.tar+gzip", packed.Bytes())
	config, err := l.object(oci+"config.v1+json", map[string]any{
		"architecture": arch, "os": "linux", "created": created,
		"config": map[string]any{"User": user + ":" + user, "Entrypoint": []string{"/gatewright"}, "WorkingDir": "/", "Labels": labels,
			"StopSignal": "SIGTERM"},
		"rootfs":  map[string]any{"type": "layers", "diff_ids": []string{"sha256:" + digestOf(layer)}},
		"history": []map[string]string{{"created": created, "created_by": "deploy/image"}},
	})
	if err != nil {
		return 0, err
	}
	manifest, err := l.object(oci+"manifest.v1+json", map[string]any{
		"schemaVersion": 2, "mediaType": oci + "manifest.v1+json", "config": config, "layers": []descriptor{blob}, "annotations": labels,
	})
	manifest.Platform = map[string]string{"os": "linux", "architecture": arch}
	l.images = append(l.images, manifest)
	return blob.Size, err
}

// write writes the folder and a tar file of it, and returns the digest of the index of all architectures.
func (l *layout) write(dir string) (string, error) {
	index, err := l.object(oci+"index.v1+json", map[string]any{
		"schemaVersion": 2, "mediaType": oci + "index.v1+json", "manifests": l.images,
	})
	if err != nil {
		return "", err
	}
	top, err := json.Marshal(map[string]any{
		"schemaVersion": 2, "mediaType": oci + "index.v1+json", "manifests": []descriptor{index},
	})
	if err != nil {
		return "", err
	}
	l.files["index.json"] = top
	if err := os.RemoveAll(filepath.Join(dir, "blobs")); err != nil {
		return "", err
	}
	for name, data := range l.files {
		path := filepath.Join(dir, name)
		err := os.MkdirAll(filepath.Dir(path), 0o755)
		if err == nil {
			err = os.WriteFile(path, data, 0o644)
		}
		if err != nil {
			return "", fmt.Errorf("the layout: %w", err)
		}
	}
	packed, err := parts.Tar(time.Unix(0, 0), "", l.files, nil)
	if err != nil {
		return "", err
	}
	return index.Digest, os.WriteFile(dir+".tar", packed, 0o644)
}
