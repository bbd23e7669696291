package resources

import (
	"errors"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
)

// Reader loads the same files again and again, as a program does that follows their changes: the schemas are built
// once, a file that hasn't changed isn't read again, and a document that hasn't changed isn't decoded and checked
// again. One goroutine at a time may use it.
type Reader struct {
	table kindTable
	// filenames are what was read the last time, and input is what was found.
	filenames []string
	input     *files
	// sources are the last ones by name. Beside those of input it holds those that could not be found again because
	// they, or a folder on the way, can't be read.
	sources map[string]*source
	// byPath has the names of the files by their real paths.
	byPath map[string]string
	// known is byPath for Concerns; nil when anything may matter.
	known atomic.Pointer[map[string]string]
}

// NewReader returns a Reader that has read nothing yet.
func NewReader() *Reader { return &Reader{table: newKindTable()} }

// Load is the function Load, with what earlier calls have worked out.
func (r *Reader) Load(filenames []string, stdin io.Reader) (*Snapshot, []Note, error) {
	snapshot, notes, problems := r.load(r.read(filenames, stdin), false)
	if len(problems) > 0 {
		return nil, notes, problems
	}
	return snapshot, notes, nil
}

// Follow is Load for a program that goes on when something is wrong: a bad file costs only itself (R31). It counts as
// it was when it was good the last time; one that never was counts with its documents that are. What can't be read
// stays as it was. The snapshot is never nil.
//
// changed are the real paths of the plain files that may have changed since the last call, of those that there were
// and those that have come; nil when anything may have.
func (r *Reader) Follow(filenames []string, changed map[string]bool) (*Snapshot, []Note, Problems) {
	input := r.reread(filenames, changed)
	if input == nil {
		input = r.read(filenames, nil)
	}
	return r.load(input, true)
}

// read looks at everything.
func (r *Reader) read(filenames []string, stdin io.Reader) *files {
	input := &files{seen: map[string]bool{}, before: r.sources, folders: map[string]string{}, tangled: len(filenames) > 1}
	for _, name := range filenames {
		input.add(name, stdin)
	}
	r.filenames = slices.Clone(filenames)
	return input
}

// reread looks only at files that may have changed. It returns nil when that isn't enough.
func (r *Reader) reread(filenames []string, changed map[string]bool) *files {
	if r.input == nil || changed == nil || len(r.input.problems) > 0 || !slices.Equal(filenames, r.filenames) {
		return nil
	}
	names := make(map[string]bool, len(changed))
	var fresh []*source
	for path := range changed {
		name, known := r.byPath[path]
		switch {
		case known:
			names[name] = true
		case isManifest(path):
			if name = r.input.newName(path); name == "" {
				return nil
			}
			names[name] = true
			// There is only one folder.
			fresh = append(fresh, &source{name: name, real: path, folder: filenames[0]})
		}
	}
	slices.SortFunc(fresh, func(a, b *source) int {
		if walksBefore(a.name, b.name) {
			return -1
		}
		return 1
	})
	input := &files{
		seen: map[string]bool{}, before: r.sources, notes: r.input.notes, folders: r.input.folders, tangled: r.input.tangled,
		sources: make([]*source, 0, len(r.input.sources)+len(fresh)),
	}
	for _, s := range r.input.sources {
		for len(fresh) > 0 && walksBefore(fresh[0].name, s.name) {
			if !input.reread(fresh[0]) {
				return nil
			}
			fresh = fresh[1:]
		}
		if s.real != "" && !names[s.name] {
			input.sources = append(input.sources, s)
		} else if !input.reread(s) {
			return nil
		}
	}
	for _, s := range fresh {
		if !input.reread(s) {
			return nil
		}
	}
	if len(input.problems) > 0 || len(input.sources) == 0 || len(r.input.sources) == 0 {
		return nil
	}
	return input
}

// reread reads a file that may have changed, come or gone. It returns false when only another walk can tell what that
// means.
func (f *files) reread(s *source) bool {
	stat := os.Stat
	if s.folder != "" {
		stat = os.Lstat
	}
	info, err := stat(s.name)
	if errors.Is(err, fs.ErrNotExist) && f.newName(s.real) != "" {
		return true
	}
	if err != nil || !info.Mode().IsRegular() {
		return false
	}
	f.folder = s.folder
	f.addFile(s.name, s.real, info)
	f.folder = ""
	return true
}

// Concerns says whether a change of these files may matter to the next Follow. Any goroutine may ask.
func (r *Reader) Concerns(changed map[string]bool) bool {
	known := r.known.Load()
	if known == nil {
		return true
	}
	for path := range changed {
		if _, ok := (*known)[path]; ok || isManifest(path) {
			return true
		}
	}
	return false
}

// isManifest says whether a folder's file is read.
func isManifest(path string) bool {
	return manifestExtensions[strings.ToLower(filepath.Ext(path))] && !strings.HasPrefix(filepath.Base(path), ".")
}

// keep remembers what was found.
func (r *Reader) keep(input *files) {
	sources, byPath := make(map[string]*source, len(input.sources)), make(map[string]string, len(input.sources))
	for _, s := range input.sources {
		sources[s.name] = s
		if s.real != "" {
			byPath[s.real] = s.name
		}
	}
	if len(input.problems) > 0 {
		bad := map[string]bool{}
		for _, p := range input.problems {
			bad[p.Source] = true
		}
		for name, s := range r.sources {
			if _, there := sources[name]; !there && unreadable(name, bad) {
				sources[name] = s
			}
		}
	}
	r.input, r.sources, r.byPath = input, sources, byPath
	if len(input.problems) == 0 {
		r.known.Store(&byPath)
	} else {
		r.known.Store(nil)
	}
}

// good is what counts of all files, the bad ones as they were: first of those that were found, then of those that
// can't be read.
func (r *Reader) good() [][]result {
	out := make([][]result, 0, len(r.sources))
	for _, s := range r.input.sources {
		out = append(out, s.good)
	}
	if len(r.sources) == len(r.input.sources) {
		return out
	}
	found := make(map[string]bool, len(r.input.sources))
	for _, s := range r.input.sources {
		found[s.name] = true
	}
	for _, name := range slices.Sorted(maps.Keys(r.sources)) {
		if !found[name] {
			out = append(out, r.sources[name].good)
		}
	}
	return out
}

// unreadable says whether a file that isn't there any more is one of those, or in one of the folders, that can't be
// read.
func unreadable(name string, bad map[string]bool) bool {
	for path := range bad {
		if name == path || strings.HasPrefix(name, strings.TrimSuffix(path, string(filepath.Separator))+string(filepath.Separator)) {
			return true
		}
	}
	return false
}
