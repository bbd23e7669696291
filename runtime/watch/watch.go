package watch

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"
)

// How a burst of events becomes one change.
const (
	// quiet is how long nothing must happen.
	quiet = 4 * time.Millisecond
	// longest is how long a burst may last before it is reported all the same.
	longest = 250 * time.Millisecond
	// writing is how long a file that somebody has open for writing is waited for.
	writing = 2 * time.Second
	// look is how often the files are looked at without an event: file systems of other hosts send none, and one
	// may be lost while folders come and go.
	look = time.Second
)

// Watcher watches files and folders, folders with all below them. Names that don't exist are waited for.
type Watcher struct {
	paths  []string
	log    *slog.Logger
	events *fsnotify.Watcher
	// watched says for each folder which of its names matter; nil is all of them.
	watched map[string]map[string]bool
	// seen is what the files looked like when a change was reported last.
	seen marks
}

// New starts to watch. What changes from now on is reported by Run.
func New(paths []string, log *slog.Logger) (*Watcher, error) {
	events, err := fsnotify.NewBufferedWatcher(1024)
	if err != nil {
		return nil, fmt.Errorf("watch files: %w", err)
	}
	w := &Watcher{log: log, events: events, watched: map[string]map[string]bool{}}
	for _, p := range paths {
		abs, err := filepath.Abs(p)
		if err != nil {
			return nil, errors.Join(err, events.Close())
		}
		w.paths = append(w.paths, abs)
	}
	w.refresh()
	w.seen = w.fingerprint()
	return w, nil
}

// Close ends the watching.
func (w *Watcher) Close() error { return w.events.Close() }

// Run calls changed after every burst of changes, until ctx ends, with the real paths of the files that it was about,
// when they are plain files of watched folders, there or gone; else with nil: anything may have changed.
func (w *Watcher) Run(ctx context.Context, changed func(files map[string]bool)) {
	looks := time.NewTicker(look)
	defer looks.Stop()
	for {
		var first string
		select {
		case <-ctx.Done():
			return
		case <-looks.C:
			if w.fingerprint().sum == w.seen.sum {
				continue
			}
		case event, ok := <-w.events.Events:
			if !ok {
				return
			}
			if !w.matters(event) {
				continue
			}
			first = event.Name
		case err, ok := <-w.events.Errors:
			if !ok {
				return
			}
			// Events were lost: whatever they were, things have changed.
			w.log.Warn("watching files", "error", err)
		}
		names := w.settle(ctx, first)
		// What changes from here on is a change of its own.
		if first == "" || !w.see(names) {
			w.refresh()
			w.seen = w.fingerprint()
			names = nil
		}
		changed(names)
	}
}

// settle returns when a burst is over and nobody is in the middle of writing a file, with the names that it was
// about.
func (w *Watcher) settle(ctx context.Context, first string) map[string]bool {
	names := map[string]bool{first: true}
	start := time.Now()
	pause := time.NewTimer(quiet)
	defer pause.Stop()
	for {
		select {
		case <-ctx.Done():
			return names
		case event := <-w.events.Events:
			if !w.matters(event) {
				// A neighbour, such as a log, may be written all the time.
				continue
			}
			names[event.Name] = true
			if event.Has(fsnotify.Create) && !isPlain(event.Name) {
				// A folder that has just come may fill at once.
				w.refresh()
			}
			if time.Since(start) < longest {
				pause.Reset(quiet)
			}
		case <-pause.C:
			if time.Since(start) < writing && anyOpen(names) {
				pause.Reset(quiet)
				continue
			}
			return names
		}
	}
}

func anyOpen(names map[string]bool) bool {
	for name := range names {
		if openForWriting(name) {
			return true
		}
	}
	return false
}

// matters says whether an event is about something that is watched, not about its neighbours.
func (w *Watcher) matters(event fsnotify.Event) bool {
	names, ok := w.watched[filepath.Dir(event.Name)]
	if ok && (names == nil || names[filepath.Base(event.Name)]) {
		return true
	}
	// A watched folder itself went away.
	_, ok = w.watched[event.Name]
	return ok
}

// refresh watches what the paths lead to now: the folder of every symbolic link on the way and of the file or
// folder itself, and all folders below; of what doesn't exist, the nearest folder that does.
func (w *Watcher) refresh() {
	want := map[string]map[string]bool{}
	for _, p := range w.paths {
		follow(p, want, 0)
	}
	for dir := range w.watched {
		if _, ok := want[dir]; !ok {
			// It may be gone, and its watch with it.
			_ = w.events.Remove(dir)
		}
	}
	have := map[string]bool{}
	for _, dir := range w.events.WatchList() {
		have[dir] = true
	}
	for dir := range want {
		if have[dir] {
			continue
		}
		if err := w.events.Add(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
			w.log.Error("a folder can't be watched: its changes will be missed", "folder", dir, "error", err)
		}
	}
	w.watched = want
}

// maxLinks ends a chain of symbolic links that leads to itself.
const maxLinks = 40

// follow adds what must be watched to notice any change of a path.
func follow(path string, want map[string]map[string]bool, links int) {
	at := string(filepath.Separator)
	for part := range strings.SplitSeq(strings.TrimPrefix(path, at), string(filepath.Separator)) {
		next := filepath.Join(at, part)
		info, err := os.Lstat(next)
		last := next == path
		if err != nil || last || info.Mode()&fs.ModeSymlink != 0 {
			addName(want, at, part)
		}
		if err != nil {
			return
		}
		if info.Mode()&fs.ModeSymlink != 0 {
			target, err := os.Readlink(next)
			if err != nil || links == maxLinks {
				return
			}
			if !filepath.IsAbs(target) {
				target = filepath.Join(at, target)
			}
			follow(filepath.Join(target, strings.TrimPrefix(path, next)), want, links+1)
			return
		}
		at = next
	}
	addTree(want, at, at)
}

// addTree adds a folder of the watched one and all below it. Links to files in the watched one are followed, as the loader
// does.
func addTree(want map[string]map[string]bool, dir, watched string) {
	info, err := os.Stat(dir)
	if err != nil || !info.IsDir() {
		return
	}
	want[dir] = nil
	entries, err := os.ReadDir(dir)
	if err != nil {
		return
	}
	for _, e := range entries {
		name := filepath.Join(dir, e.Name())
		switch {
		case e.IsDir() && !strings.HasPrefix(e.Name(), "."):
			addTree(want, name, watched)
		case e.Type()&fs.ModeSymlink != 0:
			if target, inside := inFolder(watched, name); inside {
				if info, err := os.Lstat(target); err == nil && !info.IsDir() {
					addName(want, filepath.Dir(target), filepath.Base(target))
				}
			}
		}
	}
}

func addName(want map[string]map[string]bool, dir, name string) {
	names, ok := want[dir]
	if ok && names == nil {
		return
	}
	if names == nil {
		names = map[string]bool{}
		want[dir] = names
	}
	names[name] = true
}
