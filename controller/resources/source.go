package resources

import (
	"bytes"
	"io/fs"
	"slices"
	"syscall"
	"time"
)

// source is the content of one file and what became of its documents. It is kept for as long as the file stays as it
// is, so that of thousands only those that have changed are read, decoded and checked again.
type source struct {
	name string
	// real is a plain file's real path; "" when it isn't known, and for others.
	real string
	// folder is the one of the command line that it was found in; "" for one that is named there itself.
	folder string
	data   []byte
	// looks is what the file looked like when it was read; zero when that doesn't tell a change.
	looks appearance

	// worked says that what follows is known.
	worked  bool
	docs    []document
	results []result
	// excess says that there are too many documents to look at.
	excess bool
	// good is what counts for a program that goes on when something is wrong: the results, or the last good ones where
	// the file has problems now. known says that good is all of a file without problems.
	good  []result
	known bool

	// previous is what the file was before, until the work is done.
	previous *source
}

// next is the source of a file's new content.
func (s *source) next(name string, data []byte) *source {
	if s != nil && s.worked && bytes.Equal(s.data, data) {
		same := *s
		same.looks = appearance{}
		return &same
	}
	return &source{name: name, data: data, previous: s}
}

// bad says whether anything is wrong with the file's content.
func (s *source) bad() bool {
	return s.excess || slices.ContainsFunc(s.results, func(r result) bool { return len(r.problems) > 0 })
}

// work works out what documents hold, of all sources at once: on as many processors as there are.
func work(table kindTable, sources []*source) {
	type task struct {
		doc    document
		result *result
	}
	var tasks []task
	for _, s := range sources {
		docs, ok := split(s.name, s.data)
		if s.excess = !ok; s.excess {
			continue
		}
		s.docs, s.results = docs, make([]result, len(docs))
		for i, d := range docs {
			if known, ok := s.previous.result(i, d); ok {
				s.results[i] = known
			} else {
				tasks = append(tasks, task{d, &s.results[i]})
			}
		}
	}
	parallel(len(tasks), func(i int) { *tasks[i].result = loadDocument(table, tasks[i].doc) })
	for _, s := range sources {
		switch p := s.previous; {
		case !s.bad():
			s.good, s.known = s.results, true
		case p != nil && p.known:
			s.good, s.known = p.good, true
		default:
			for _, r := range s.results {
				if len(r.problems) == 0 {
					s.good = append(s.good, r)
				}
			}
		}
		s.worked, s.previous = true, nil
	}
}

// result is what became of a document that was the same, in the same place, for messages name that.
func (s *source) result(i int, d document) (result, bool) {
	if s == nil || i >= len(s.docs) || s.docs[i].number != d.number || s.docs[i].line != d.line || !bytes.Equal(s.docs[i].data, d.data) {
		return result{}, false
	}
	return s.results[i], true
}

// appearance is what a change of a file changes.
type appearance struct {
	size, modified, changed int64 // bytes, and nanoseconds since 1970
	device, inode           uint64
}

// appearanceOf returns the zero appearance for a file that can't be told from others by it.
func appearanceOf(info fs.FileInfo) appearance {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok || !info.Mode().IsRegular() {
		return appearance{}
	}
	return appearance{size: stat.Size, modified: stat.Mtim.Nano(), changed: stat.Ctim.Nano(), device: uint64(stat.Dev), inode: stat.Ino}
}

// settled is how long ago a file must have changed for its times to tell it from what comes later. They advance in
// steps, of milliseconds to seconds by the file system, and within one a file may change twice.
const settled = 3 * time.Second

// tells says whether the next change of a file that is read now will show.
func (a appearance) tells() bool {
	return a != appearance{} && time.Since(time.Unix(0, max(a.modified, a.changed))) > settled
}

// looksLike says whether a file looks as it did when it was read.
func (s *source) looksLike(looks appearance) bool {
	return s != nil && s.looks != appearance{} && s.looks == looks
}
