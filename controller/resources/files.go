package resources

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"github.com/gatewright/gatewright/runtime/beneath"
)

// maxFileSize is the largest file that is read, in bytes. It stops an endless one (/dev/zero, a pipe without an end)
// long before memory runs out; 10,000 rules take about 3 MB.
const maxFileSize = 64 << 20

// manifestExtensions are the names' ends that make a file of a folder a manifest, as for kubectl.
var manifestExtensions = map[string]bool{".yaml": true, ".yml": true, ".json": true}

// files collects what the names on a command line stand for. A file that is named twice, directly or through a folder,
// is read once.
type files struct {
	sources  []*source
	notes    []Note
	problems Problems
	seen     map[string]bool
	found    int // files named or found, read before or not
	// folders are the names of the folders that were read, by their real paths.
	folders map[string]string
	// tangled says that a file may have two names: of several, through a symlink, or in a folder that was read twice.
	tangled bool
	chunk   []byte
	// folder is the one of the command line that is being read; "" for none.
	folder string
	// before are the sources of an earlier reading by name.
	before map[string]*source
}

func (f *files) problem(name, text string) {
	f.problems = append(f.problems, Problem{Source: name, Text: text})
}

func (f *files) note(name, text string) {
	f.notes = append(f.notes, Note{Source: name, Text: text})
}

// add reads one name of the command line: "-", a file or a folder.
func (f *files) add(name string, stdin io.Reader) {
	if name == "-" {
		switch {
		case stdin == nil:
			f.problem("stdin", "there is no input: name a file or a folder instead of -")
		case !f.seen["-"]:
			f.seen["-"] = true
			f.read("stdin", stdin)
		}
		return
	}
	info, err := os.Stat(name)
	switch {
	case name == "":
		f.problem(`""`, "the name of a file or folder is empty: give one, or - for stdin")
	case err != nil:
		f.problem(name, "can't be read: "+reason(err)+": check the path and its permissions")
	case info.IsDir():
		f.addFolder(name)
	default:
		f.addFile(name, realPath(name), info)
	}
}

// realPath is the absolute path without symlinks; "" when it can't be told.
func realPath(name string) string {
	real, err := filepath.EvalSymlinks(name)
	if err == nil {
		real, err = filepath.Abs(real)
	}
	if err != nil {
		return ""
	}
	return real
}

// addFolder reads a folder's manifests and its folders, sorted by name. What is hidden is skipped, which leaves out the
// "..data" folders of a mounted ConfigMap, whose files are also there as symlinks. Symlinks to folders aren't followed,
// so a walk always ends; nor are those out of the folder: who may write to it needn't be who may read everything (R44).
func (f *files) addFolder(dir string) {
	before := f.found + len(f.problems)
	f.folder = dir
	f.walk(dir, realPath(dir))
	f.folder = ""
	if f.found+len(f.problems) == before {
		f.note(dir, "no *.yaml, *.yml or *.json file in this folder")
	}
}

// walk reads a folder whose real path is known, so that not every file's has to be looked for.
func (f *files) walk(dir, realDir string) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		f.problem(dir, "the folder can't be read: "+reason(err)+": check its permissions")
		return
	}
	if _, twice := f.folders[realDir]; twice || realDir == "" {
		f.tangled = true
	}
	f.folders[realDir] = dir
	for _, entry := range entries {
		path, real := filepath.Join(dir, entry.Name()), filepath.Join(realDir, entry.Name())
		if realDir == "" || entry.Type()&fs.ModeSymlink != 0 {
			real = ""
		}
		manifest := manifestExtensions[strings.ToLower(filepath.Ext(path))]
		switch {
		case strings.HasPrefix(entry.Name(), "."):
		case entry.IsDir():
			f.walk(path, real)
		case entry.Type()&fs.ModeSymlink != 0 || manifest:
			f.tangled = f.tangled || entry.Type()&fs.ModeSymlink != 0
			f.addEntry(path, real, manifest)
		}
	}
}

// addEntry reads a folder's entry that is a manifest by its name, or a symlink.
func (f *files) addEntry(path, real string, manifest bool) {
	info, err := os.Stat(path)
	switch {
	case err != nil && manifest:
		f.problem(path, "can't be read: "+reason(err)+": check the file, or remove the link")
	case err != nil:
	case info.IsDir():
		f.note(path, "a symlink to a folder is not followed: name the folder itself")
	case !manifest:
	case !info.Mode().IsRegular():
		f.note(path, "skipped: it is not a regular file")
	default:
		if real == "" {
			real = realPath(path)
		}
		f.addFile(path, real, info)
	}
}

// addFile reads a file, or takes what was read of it before; real is "" when its real path isn't known.
func (f *files) addFile(path, real string, info fs.FileInfo) {
	f.found++
	if info.Mode().IsRegular() {
		if real != "" {
			if f.seen[real] {
				return
			}
			f.seen[real] = true
		}
		if info.Size() > maxFileSize {
			f.problem(path, tooLarge())
			return
		}
	}
	looks := appearanceOf(info)
	if known := f.before[path]; known.looksLike(looks) {
		f.sources = append(f.sources, known)
		return
	}
	file, err := f.open(path)
	switch {
	case errors.Is(err, beneath.ErrOutside):
		f.problem(path, "a symlink that leads out of the folder is not followed: put the file itself there, or name it with -f")
		return
	case errors.Is(err, beneath.ErrNotRegular):
		f.note(path, "skipped: it is not a regular file")
		return
	case err != nil:
		f.problem(path, "can't be read: "+reason(err)+": check its permissions")
		return
	}
	defer file.Close()
	if f.read(path, file) {
		read := f.sources[len(f.sources)-1]
		read.folder = f.folder
		if info.Mode().IsRegular() {
			read.real = real
		}
		if looks.tells() {
			read.looks = looks
		}
	}
}

// open opens a file that the command line names, whatever it is, or one of the folder that is being read, by no link out of
// that.
func (f *files) open(path string) (*os.File, error) {
	if f.folder == "" {
		return os.Open(path)
	}
	folder, err := beneath.Open(f.folder)
	if err != nil {
		return nil, err
	}
	defer folder.Close()
	name, err := filepath.Rel(f.folder, path)
	if err == nil {
		name, err = folder.Resolve(name)
	}
	if err != nil {
		return nil, err
	}
	return folder.Open(name)
}

func tooLarge() string {
	return fmt.Sprintf("larger than %d MiB: split it, or check that it is the right file", maxFileSize>>20)
}

// read takes the text of one file and refuses what can't be a manifest as early as possible. It says whether there is
// a source now.
func (f *files) read(name string, r io.Reader) bool {
	var content bytes.Buffer
	if f.chunk == nil {
		f.chunk = make([]byte, 64<<10)
	}
	chunk := f.chunk
	for {
		n, err := r.Read(chunk)
		if i := bytes.IndexByte(chunk[:n], 0); i >= 0 {
			f.problem(name, fmt.Sprintf("a NUL byte at offset %d: this is no text; save manifests as UTF-8", content.Len()+i))
			return false
		}
		content.Write(chunk[:n])
		if content.Len() > maxFileSize {
			f.problem(name, tooLarge())
			return false
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			f.problem(name, "can't be read: "+reason(err))
			return false
		}
	}
	data := bytes.TrimPrefix(content.Bytes(), []byte("\xef\xbb\xbf"))
	if !utf8.Valid(data) {
		f.problems = append(f.problems, Problem{Source: name, Line: invalidLine(data), Text: "not valid UTF-8: save the file as UTF-8"})
		return false
	}
	f.sources = append(f.sources, f.before[name].next(name, data))
	return true
}

// invalidLine is the line of the first byte that isn't UTF-8.
func invalidLine(data []byte) int {
	line := 1
	for len(data) > 0 {
		r, size := utf8.DecodeRune(data)
		if r == utf8.RuneError && size == 1 {
			break
		}
		if r == '\n' {
			line++
		}
		data = data[size:]
	}
	return line
}

// newName is what a plain file is called that is, or was, in one of the folders; "" when only another walk can tell.
func (f *files) newName(path string) string {
	dir, ok := f.folders[filepath.Dir(path)]
	info, err := os.Lstat(path)
	if !ok || f.tangled || err == nil && !info.Mode().IsRegular() {
		return ""
	}
	return filepath.Join(dir, filepath.Base(path))
}

// walksBefore orders names as a walk comes to them: folder by folder, so that what ends a name sorts before everything.
func walksBefore(a, b string) bool {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return a[i] == filepath.Separator || b[i] != filepath.Separator && a[i] < b[i]
		}
	}
	return len(a) < len(b)
}

// reason is an error without the path, which the message has already.
func reason(err error) string {
	var pathErr *fs.PathError
	if errors.As(err, &pathErr) {
		return pathErr.Err.Error()
	}
	return err.Error()
}
