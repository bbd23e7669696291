package folder

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/gatewright/gatewright/generators"
)

func TestRead(t *testing.T) {
	want := []generators.File{
		{Path: "conf.d/a.conf", Data: []byte("a")}, {Path: "key.pem", Data: []byte("k"), Secret: true}, {Path: "nginx.conf", Data: []byte("n")},
	}
	do := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	fill := func(dir string) {
		t.Helper()
		do(os.MkdirAll(filepath.Join(dir, "conf.d"), 0o755))
		for _, f := range want {
			do(os.WriteFile(filepath.Join(dir, f.Path), f.Data, modeOf(f)))
		}
		do(os.WriteFile(filepath.Join(dir, ".hidden"), nil, 0o600))
	}
	check := func(dir string) {
		t.Helper()
		got, err := Read(dir)
		if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(generators.File{}, "Access")); diff != "" || err != nil {
			t.Errorf("%s: %v\n%s", dir, err, diff)
		}
	}
	dir := t.TempDir()
	fill(filepath.Join(dir, "plain"))
	check(filepath.Join(dir, "plain"))

	do(os.Symlink("plain", filepath.Join(dir, "link")))
	check(filepath.Join(dir, "link"))

	fill(filepath.Join(dir, "map/..v1"))
	do(os.Symlink("..v1", filepath.Join(dir, "map/..data")))
	for _, name := range []string{"conf.d", "key.pem", "nginx.conf"} {
		do(os.Symlink("..data/"+name, filepath.Join(dir, "map", name)))
	}
	check(filepath.Join(dir, "map"))

	do(os.Symlink(".", filepath.Join(dir, "plain/loop")))
	if _, err := Read(filepath.Join(dir, "plain")); err == nil {
		t.Errorf("a link that leads into itself was read")
	}
	if _, err := Read(filepath.Join(dir, "nothing")); err == nil {
		t.Errorf("a folder that isn't there was read")
	}
}

// made is a folder that a test fills.
type made struct {
	*testing.T
	dir string
}

func (m made) path(name string) string { return filepath.Join(m.dir, name) }

func (m made) do(errs ...error) {
	m.Helper()
	if err := errors.Join(errs...); err != nil {
		m.Fatal(err)
	}
}

func (m made) file(name, text string, mode os.FileMode) {
	m.Helper()
	path := m.path(name)
	m.do(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o600), os.Chmod(path, mode))
}

func (m made) link(target, name string) {
	m.Helper()
	m.do(os.Symlink(target, m.path(name)))
}

// TestReadStaysInside: whoever may write to the folder gets nothing read by way of it that is outside, and makes nobody
// wait (R44).
func TestReadStaysInside(t *testing.T) {
	for _, c := range []struct {
		name string
		make func(m made)
		want string // of the error; "" for none
	}{
		{"a link to a file outside", func(m made) { m.link("../secret", "in/a.conf") }, "a.conf: a link that leads out of the folder"},
		{"an absolute link outside", func(m made) { m.link(m.path("secret"), "in/a.conf") }, "a link that leads out"},
		{"a link to a folder outside", func(m made) { m.link("../other", "in/conf.d") }, "conf.d: a link that leads out"},
		{"a link in a folder", func(m made) { m.file("in/conf.d/x", "x", 0o644); m.link("../../secret", "in/conf.d/a.conf") },
			"conf.d/a.conf: a link that leads out"},
		{"a link to a link", func(m made) { m.link("../secret", "in/.hop"); m.link(".hop", "in/a.conf") }, "a link that leads out"},
		{"..data outside", func(m made) { m.link("../other", "in/..data") }, "..data: a link that leads out"},
		{"a link out of ..data", func(m made) {
			m.file("in/..v1/nginx.conf", "n", 0o644)
			m.link("..v1", "in/..data")
			m.link("../nginx.conf", "in/..v1/a.conf")
		}, "a link that leads out"},
		{"a link to the folder above", func(m made) { m.link("..", "in/up") }, "up: a link that leads out"},
		{"a link to a device", func(m made) { m.link("/dev/zero", "in/a.conf") }, "a link that leads out"},
		{"a link to nothing", func(m made) { m.link("nowhere", "in/a.conf") }, "no such file"},
		{"a pipe", func(m made) { m.do(syscall.Mkfifo(m.path("in/a.conf"), 0o644)) }, ""},
		{"a link to a pipe", func(m made) { m.do(syscall.Mkfifo(m.path("in/.pipe"), 0o644)); m.link(".pipe", "in/a.conf") }, ""},
		{"a socket", func(m made) {
			l, err := net.Listen("unix", m.path("in/a.sock"))
			m.do(err)
			m.Cleanup(func() { _ = l.Close() }) // The test is over.
		}, ""},
		{"a link that stays inside", func(m made) { m.file("in/.real", "r", 0o644); m.link(m.path("in/.real"), "in/a.conf") }, ""},
		{"links that double", func(m made) { m.link(".", "in/a"); m.link(".", "in/b") }, "more than"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := made{t, t.TempDir()}
			m.file("secret", "s", 0o600)
			m.file("other/b.conf", "b", 0o644)
			m.file("in/nginx.conf", "n", 0o644)
			c.make(m)
			files, err := Read(m.path("in"))
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("%v, want %q", err, c.want)
			}
			for _, f := range files {
				if string(f.Data) == "s" || string(f.Data) == "b" {
					t.Errorf("%s was read", f.Path)
				}
			}
		})
	}
	m := made{t, t.TempDir()}
	m.do(syscall.Mkfifo(m.path("pipe"), 0o644))
	if _, err := Read(m.path("pipe")); err == nil {
		t.Error("a pipe in place of the folder was read")
	}
}

// TestReadWhileSwapped puts links in place of a file and a folder while they are read.
func TestReadWhileSwapped(t *testing.T) {
	m := made{t, t.TempDir()}
	m.file("secret", "s", 0o600)
	m.file("other/b.conf", "s", 0o644)
	m.file("in/conf.d/b.conf", "x", 0o644)
	m.file("in/nginx.conf", "n", 0o644)
	m.link("../other", "in/.folder")
	m.link("../secret", "in/.file")
	exchange := func(a, b string) error {
		return errors.Join(os.Rename(m.path(a), m.path("in/.x")), os.Rename(m.path(b), m.path(a)), os.Rename(m.path("in/.x"), m.path(b)))
	}
	stop := make(chan struct{})
	var swaps sync.WaitGroup
	swaps.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				if err := errors.Join(exchange("in/conf.d", "in/.folder"), exchange("in/nginx.conf", "in/.file")); err != nil {
					t.Error(err)
					return
				}
			}
		}
	})
	for range 1000 {
		files, _ := Read(m.path("in")) // Most of the time something leads out.
		for _, f := range files {
			if string(f.Data) == "s" {
				t.Fatalf("%s was read from outside", f.Path)
			}
		}
	}
	close(stop)
	swaps.Wait()
}

// TestCopiesAreNoWider writes what was read, and holds the permissions against those of the source.
func TestCopiesAreNoWider(t *testing.T) {
	m := made{t, t.TempDir()}
	for name, mode := range map[string]os.FileMode{"a": 0o644, "b": 0o640, "c": 0o440, "d": 0o600, "e": 0o400, "f": 0o666, "g": 0o604} {
		m.file("in/"+name, name, mode)
	}
	stranger := os.Getgid() + 4711
	if os.Getuid() == 0 {
		m.do(os.Chown(m.path("in/b"), -1, stranger))
	}
	files, err := Read(m.path("in"))
	m.do(err)
	out := m.path("out")
	if !write(t, out, files) || write(t, out, files) {
		t.Error("the first writing is a change, the second isn't")
	}
	for name, want := range map[string]os.FileMode{"a": 0o644, "b": 0o640, "c": 0o640, "d": 0o600, "e": 0o600, "f": 0o644, "g": 0o604} {
		info, err := os.Stat(filepath.Join(out, name))
		if err != nil || info.Mode() != want {
			t.Errorf("%s: %v, want %v (%v)", name, info.Mode(), want, err)
		}
		if source, err := os.Stat(m.path("in/" + name)); err != nil || groupOf(info) != groupOf(source) {
			t.Errorf("%s: the group is %d (%v)", name, groupOf(info), err)
		}
	}
}

// TestGroupOfTheFolder: a folder with the set-group-ID bit says whose group files are for.
func TestGroupOfTheFolder(t *testing.T) {
	m := made{t, t.TempDir()}
	group := os.Getgid()
	if os.Getuid() == 0 {
		group += 4711
		m.do(os.Chown(m.dir, -1, group))
	}
	m.do(os.Chmod(m.dir, 0o750|os.ModeSetgid))
	write(t, m.path("out"), files("nginx.conf", "n", "tls/a.key", "k"))
	for _, name := range []string{"out", "out/nginx.conf", "out/tls", "out/tls/a.key"} {
		if info, err := os.Stat(m.path(name)); err != nil || groupOf(info) != group {
			t.Errorf("%s: the group is %d, want %d (%v)", name, groupOf(info), group, err)
		}
	}
}
