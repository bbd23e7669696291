package run

import (
	"errors"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// room is a small file system for the state folder.
type room struct {
	*gateway
	dir     string
	mounted bool
}

// roomSize is enough for a few versions, in bytes.
const roomSize = "2m"

func newRoom(g *gateway, dir string) *room {
	g.Helper()
	if err := unix.Mount("gatewright-test", dir, "tmpfs", 0, "size="+roomSize+",mode=0755"); err != nil {
		g.Fatalf("a small file system needs root: %v", err)
	}
	r := &room{gateway: g, dir: dir, mounted: true}
	g.Cleanup(func() {
		g.end()
		r.unmount()
	})
	return r
}

func (r *room) unmount() {
	if !r.mounted {
		return
	}
	r.mounted = false
	if err := unix.Unmount(r.dir, unix.MNT_DETACH); err != nil {
		r.Errorf("unmount: %v", err)
	}
}

func (r *room) take(trouble string) {
	r.Helper()
	if trouble == "readonly" {
		// Files that are open for writing keep a file system writable, so the folder it happens in is covered.
		r.do(unix.Mount(r.versions(), r.versions(), "", unix.MS_BIND, ""))
		r.do(unix.Mount("", r.versions(), "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY, ""))
		return
	}
	f, err := os.Create(filepath.Join(r.dir, "filler"))
	r.do(err)
	chunk := make([]byte, 4096)
	for err == nil {
		_, err = f.Write(chunk)
	}
	if !errors.Is(err, unix.ENOSPC) {
		r.Fatal(err)
	}
	r.do(f.Close())
}

func (r *room) give(trouble string) {
	r.Helper()
	if trouble == "readonly" {
		r.do(unix.Unmount(r.versions(), unix.MNT_DETACH))
		return
	}
	r.do(os.Remove(filepath.Join(r.dir, "filler")))
}

func (r *room) versions() string { return filepath.Join(r.dir, "versions") }

func (r *room) do(err error) {
	r.Helper()
	if err != nil {
		r.Fatal(err)
	}
}
