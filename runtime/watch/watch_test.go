package watch

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// patience is how long a change may take to be noticed.
const patience = 10 * time.Second

type watched struct {
	*testing.T
	dir     string
	changes chan struct{}
}

// watch watches names in a folder that setup has filled.
func watch(t *testing.T, setup func(w *watched), names ...string) *watched {
	t.Helper()
	w := &watched{T: t, dir: t.TempDir(), changes: make(chan struct{}, 1000)}
	if setup != nil {
		setup(w)
	}
	var paths []string
	for _, name := range names {
		paths = append(paths, w.path(name))
	}
	watcher, err := New(paths, slog.New(slog.NewTextHandler(t.Output(), nil)))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		watcher.Run(ctx, func(map[string]bool) { w.changes <- struct{}{} })
	}()
	t.Cleanup(func() {
		cancel()
		<-ended
		if err := watcher.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

func (w *watched) path(name string) string { return filepath.Join(w.dir, name) }

func (w *watched) do(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

func (w *watched) write(name, text string) {
	w.Helper()
	w.do(os.MkdirAll(filepath.Dir(w.path(name)), 0o755))
	w.do(os.WriteFile(w.path(name), []byte(text), 0o600))
}

// link points a link to a target, in one step when it is there already.
func (w *watched) link(target, name string) {
	w.Helper()
	w.do(os.Symlink(target, w.path(name+".next")))
	w.do(os.Rename(w.path(name+".next"), w.path(name)))
}

func (w *watched) noticed(what string) {
	w.Helper()
	select {
	case <-w.changes:
	case <-time.After(patience):
		w.Fatalf("%s: not noticed", what)
	}
}

// quietUntil checks that what happened so far is no change, and that a real one is noticed.
func (w *watched) quietUntil(what string, change func()) {
	w.Helper()
	select {
	case <-w.changes:
		w.Fatalf("%s was reported", what)
	case <-time.After(10 * quiet):
	}
	change()
	w.noticed("a change after " + what)
}

func TestFolder(t *testing.T) {
	w := watch(t, func(w *watched) { w.write("in/a.yaml", "a") }, "in")
	w.write("in/a.yaml", "b")
	w.noticed("written in place")
	w.write("in/.a.yaml.swp", "c")
	w.do(os.Rename(w.path("in/.a.yaml.swp"), w.path("in/a.yaml")))
	w.noticed("renamed over")
	w.write("in/sub/deep/b.yaml", "b")
	w.noticed("a new folder")
	w.write("in/sub/deep/b.yaml", "c")
	w.noticed("a file in a new folder")
	w.do(os.RemoveAll(w.path("in/sub")))
	w.noticed("a folder that went")
	w.do(os.RemoveAll(w.path("in")))
	w.noticed("the folder itself went")
	w.write("in/a.yaml", "d")
	w.noticed("the folder came again")
	w.write("in/a.yaml", "e")
	w.noticed("a file in it")
}

// TestNames says which files changes are about; of links and folders that they may be about anything.
func TestNames(t *testing.T) {
	w := &watched{T: t, dir: t.TempDir()}
	w.write("in/a.yaml", "a")
	w.write("in/.b/b.yaml", "b")
	w.write("other/b.yaml", "b")
	watcher, err := New([]string{w.path("in")}, slog.New(slog.NewTextHandler(t.Output(), nil)))
	if err != nil {
		t.Fatal(err)
	}
	reports := make(chan map[string]bool, 1000)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		watcher.Run(ctx, func(files map[string]bool) { reports <- files })
	}()
	defer func() {
		cancel()
		<-ended
		w.do(watcher.Close())
	}()
	for _, step := range []struct {
		what   string
		change func()
		want   string
	}{
		{"written in place", func() { w.write("in/a.yaml", "b") }, "a.yaml"},
		{"renamed over", func() { w.write("in/.next", "c"); w.do(os.Rename(w.path("in/.next"), w.path("in/a.yaml"))) }, ".next a.yaml"},
		{"a new file", func() { w.write("in/new.yaml", "n") }, "new.yaml"},
		{"a file that went", func() { w.do(os.Remove(w.path("in/new.yaml"))) }, "new.yaml"},
		{"a new link", func() { w.do(os.Symlink(w.path("in/.b/b.yaml"), w.path("in/b.yaml"))) }, "anything"},
		{"where a link leads to", func() { w.write("in/.b/b.yaml", "c") }, "anything"},
		{"a link that leads out", func() { w.do(os.Symlink(w.path("other/b.yaml"), w.path("in/out.yaml"))) }, "anything"},
		{"a new folder", func() { w.do(os.Mkdir(w.path("in/sub"), 0o755)) }, "anything"},
		{"a file in the new folder", func() { w.write("in/sub/c.yaml", "c") }, "c.yaml"},
		{"a folder in place of a file", func() { w.do(os.Remove(w.path("in/a.yaml"))); w.do(os.Mkdir(w.path("in/a.yaml"), 0o755)) }, "anything"},
		{"a folder that went", func() { w.do(os.Remove(w.path("in/a.yaml"))) }, "anything"},
	} {
		step.change()
		got := map[string]bool{}
		for text := ""; text != step.want; {
			select {
			case files := <-reports:
				if files == nil {
					got["anything"] = true
				}
				for f := range files {
					got[filepath.Base(f)] = true
				}
				text = strings.Join(slices.Sorted(maps.Keys(got)), " ")
			case <-time.After(patience):
				t.Fatalf("%s: it is about %q, want %q", step.what, text, step.want)
			}
		}
	}
}

// TestLinksOut: what a link leads to outside is neither watched nor looked at (R44).
func TestLinksOut(t *testing.T) {
	w := &watched{T: t, dir: t.TempDir()}
	w.write("in/a.yaml", "a")
	w.write("other/b.yaml", "b")
	w.link("../other/b.yaml", "in/b.yaml")
	w.link(w.path("other"), "in/sub")
	watcher, err := New([]string{w.path("in")}, slog.New(slog.NewTextHandler(t.Output(), nil)))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { w.do(watcher.Close()) }()
	if _, ok := watcher.watched[w.path("other")]; ok {
		t.Error("the folder that a link leads to is watched")
	}
	w.write("other/b.yaml", "another text")
	if watcher.fingerprint().sum != watcher.seen.sum {
		t.Error("a change of a file that a link leads to is a change")
	}
	w.write("in/a.yaml", "another text")
	if watcher.fingerprint().sum == watcher.seen.sum {
		t.Error("a change of a file isn't one")
	}
}

func TestFile(t *testing.T) {
	w := watch(t, func(w *watched) { w.write("in/a.yaml", "a"); w.write("in/other", "o") }, "in/a.yaml", "in/later/b.yaml")
	w.write("in/other", "p")
	w.quietUntil("a neighbour", func() { w.write("in/a.yaml", "b") })
	w.do(os.Rename(w.path("in/a.yaml"), w.path("in/a.yaml~")))
	w.write("in/a.yaml", "c")
	w.noticed("an editor with a backup")
	w.write("in/later/b.yaml", "b")
	w.noticed("a file that came later")
}

// TestConfigMap is how a kubelet writes a ConfigMap.
func TestConfigMap(t *testing.T) {
	version := func(w *watched, n int) {
		w.write(fmt.Sprintf("in/..v%d/a.yaml", n), fmt.Sprint(n))
		w.link(fmt.Sprintf("..v%d", n), "in/..data")
	}
	for _, name := range []string{"in", "in/a.yaml"} {
		t.Run(name, func(t *testing.T) {
			w := watch(t, func(w *watched) { version(w, 1); w.link("..data/a.yaml", "in/a.yaml") }, name)
			for n := 2; n < 5; n++ {
				version(w, n)
				w.noticed("a new version")
				w.do(os.RemoveAll(w.path(fmt.Sprintf("in/..v%d", n-1))))
			}
		})
	}
}

// TestGitSync is how git-sync switches a checkout: a link above the folder that is watched.
func TestGitSync(t *testing.T) {
	w := watch(t, func(w *watched) {
		w.write("trees/1/manifests/a.yaml", "1")
		w.link("trees/1", "current")
	}, "current/manifests")
	w.write("trees/2/manifests/a.yaml", "2")
	w.quietUntil("a checkout that isn't current", func() { w.link("trees/2", "current") })
	w.do(os.RemoveAll(w.path("trees/1")))
	w.write("trees/2/manifests/b.yaml", "b")
	w.noticed("a file of the new checkout")
}

func TestHalfWritten(t *testing.T) {
	w := watch(t, func(w *watched) { w.write("in/a.yaml", "a") }, "in")
	f, err := os.OpenFile(w.path("in/a.yaml"), os.O_WRONLY|os.O_TRUNC, 0)
	w.do(err)
	_, err = f.WriteString("half")
	w.do(err)
	w.quietUntil("a file that is still being written", func() { w.do(f.Close()) })
}

// TestBusyNeighbour: a log beside the folder, which somebody has open for writing for good, delays nothing.
func TestBusyNeighbour(t *testing.T) {
	dir := t.TempDir()
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	in := filepath.Join(dir, "in")
	if err := os.Mkdir(in, 0o755); err != nil {
		t.Fatal(err)
	}
	watcher, err := New([]string{in}, slog.New(slog.NewTextHandler(t.Output(), nil)))
	if err != nil {
		t.Fatal(err)
	}
	defer watcher.Close()
	a := filepath.Join(in, "a.yaml")
	if err := os.WriteFile(a, []byte("a"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := log.WriteString("it was written\n"); err != nil {
		t.Fatal(err)
	}
	// The log's event is behind those of the file.
	names := watcher.settle(t.Context(), a)
	if names[log.Name()] || !names[a] {
		t.Errorf("the burst was of %v", names)
	}
}

func TestBurst(t *testing.T) {
	w := watch(t, func(w *watched) { w.write("in/a.yaml", "a") }, "in")
	const files = 300
	for i := range files {
		w.write(fmt.Sprintf("in/%d.yaml", i), "x")
	}
	w.noticed("a burst")
	reports := 1
	for over := false; !over; {
		select {
		case <-w.changes:
			reports++
		case <-time.After(2 * longest):
			over = true
		}
	}
	if reports > files/10 {
		t.Errorf("%d files were %d changes", files, reports)
	}
}

// TestWithoutEvents: a change that no event tells of is found by looking.
func TestWithoutEvents(t *testing.T) {
	dir := t.TempDir()
	watcher, err := New([]string{dir}, slog.New(slog.NewTextHandler(t.Output(), nil)))
	if err != nil {
		t.Fatal(err)
	}
	if err := watcher.events.Remove(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "a.yaml"), []byte("a"), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	found := false
	watcher.Run(ctx, func(map[string]bool) { found = true; cancel() })
	if !found {
		t.Error("the new file was not found")
	}
	if err := watcher.Close(); err != nil {
		t.Error(err)
	}
}

// TestFingerprint: a file that was changed looks otherwise, also when its name, size and time of modification are what
// they were.
func TestFingerprint(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.yaml")
	when := time.Now().Add(-time.Hour)
	write := func(text string) {
		if err := errors.Join(os.WriteFile(path, []byte(text), 0o600), os.Chtimes(path, when, when)); err != nil {
			t.Fatal(err)
		}
	}
	write("a")
	w := &Watcher{paths: []string{dir}}
	before := w.fingerprint().sum
	if w.fingerprint().sum != before {
		t.Error("a file that wasn't changed looks otherwise")
	}
	// The system's clock for files advances in steps.
	for deadline := time.Now().Add(patience); w.fingerprint().sum == before; {
		write("b")
		if time.Now().After(deadline) {
			t.Fatal("a file that was changed looks as before")
		}
	}
}
