package process

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Kind tells the processes of a program from all others: by their executable and by how they are called (R44).
type Kind struct {
	// Program is the name of the executable, and what messages call it.
	Program string
	// Binary is the executable as it is started here; "" when that isn't known. One in a container of its own may have
	// another path.
	Binary string
	// Role is what messages call the process that is meant, such as "master", and Is says whether a process that has
	// the executable is one.
	Role string
	Is   func(pid int) bool
	// Prefix is what the program puts before its command line in its title; "" when it leaves that alone.
	Prefix string
}

// Verify returns a process that is certainly of the kind. The error says why it isn't, or why that can't be told, and
// what to do.
func (k Kind) Verify(pid int) (ID, error) {
	id, err := Identify(pid)
	if err != nil {
		return ID{}, err
	}
	if err := k.executable(pid); err != nil {
		return ID{}, err
	}
	if !k.Is(pid) {
		return ID{}, fmt.Errorf("process %d (%.80s) is no %s of %s, so it isn't signalled", pid, Title(pid), k.Role, k.Program)
	}
	if !id.Alive() {
		return ID{}, fmt.Errorf("process %d %w", pid, ErrEnded)
	}
	return id, nil
}

// What may be only because a program hasn't started yet.
var (
	// ErrEnded is of a number that no process has.
	ErrEnded = errors.New("has ended")
	// ErrNone is of a kind of which no process is to be seen.
	ErrNone = errors.New("among the processes that this one can see")
	// ErrNoID is of a file in which no number of a process stands.
	ErrNoID = errors.New("holds no process id")
)

// executable says why a process doesn't run the program.
func (k Kind) executable(pid int) error {
	link := fmt.Sprintf("/proc/%d/exe", pid)
	path, err := os.Readlink(link)
	switch {
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("whether process %d (%.80s) is %s can't be told, for this user may not see its executable, so it isn't signalled: "+
			"run gatewright as the user that %s runs as and with no fewer capabilities, or with CAP_SYS_PTRACE", pid, Title(pid), k.Program,
			k.Program)
	case err != nil:
		return fmt.Errorf("process %d (%s) has ended or has no executable, so it isn't signalled", pid, Name(pid))
	}
	path, deleted := strings.CutSuffix(path, " (deleted)")
	binary := k.Binary
	if found, err := exec.LookPath(binary); err == nil {
		binary = found
	}
	own, err := filepath.EvalSymlinks(binary)
	switch {
	case binary != "" && (err == nil && path == own || sameFile(link, binary)):
		return nil
	case filepath.Base(path) != k.Program:
		return fmt.Errorf("process %d runs %s, which isn't %s, so it isn't signalled", pid, path, k.Program)
	case binary == "" || deleted || !SameFiles(pid) || isScript(binary):
		// An upgrade has taken the file away, or its path means nothing here: the name has to do.
		return nil
	}
	return fmt.Errorf("process %d runs %s, not %s, so it isn't signalled: name its binary with --proxy-binary if it is the one", pid, path,
		binary)
}

// runs says whether a process was started with a command line; programs add to theirs when they start again.
func (k Kind) runs(pid int, args []string) bool {
	have := Arguments(pid)
	if len(have) >= len(args) && slices.Equal(have[:len(args)], args) {
		return true
	}
	return k.Prefix != "" && Title(pid) == k.Prefix+strings.Join(args, " ")
}

// SameNamespace says that a process numbers processes as this one does.
func SameNamespace(pid int) bool {
	return sameFile(fmt.Sprintf("/proc/%d/ns/pid", pid), "/proc/self/ns/pid")
}

// isScript says that a binary is one that starts another.
func isScript(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	head := make([]byte, 2)
	_, err = io.ReadFull(f, head)
	return errors.Join(err, f.Close()) == nil && string(head) == "#!"
}

func sameFile(a, b string) bool {
	x, err := os.Stat(a)
	y, other := os.Stat(b)
	return err == nil && other == nil && os.SameFile(x, y)
}

// Find returns the one process of the kind, for a program whose process id is written nowhere. More than one is an error
// that names them.
func (k Kind) Find() (ID, error) {
	pids, err := All()
	if err != nil {
		return ID{}, err
	}
	var found []ID
	var hidden error
	for _, pid := range pids {
		id, err := k.Verify(pid)
		switch {
		case err == nil:
			found = append(found, id)
		case Name(pid) == k.Program && k.Is(pid):
			hidden = err
		}
	}
	switch {
	case len(found) == 1:
		return found[0], nil
	case hidden != nil && len(found) == 0:
		return ID{}, hidden
	case len(found) == 0:
		return ID{}, fmt.Errorf("there is no %s of %s %w", k.Role, k.Program, ErrNone)
	}
	var names []string
	for _, id := range found {
		names = append(names, fmt.Sprintf("%d (%.80s)", id.PID, Title(id.PID)))
	}
	return ID{}, fmt.Errorf("there is more than one %s of %s, %s: say which by its pid file", k.Role, k.Program, strings.Join(names, ", "))
}

// FromFile returns the process that a pid file names, when it is of the kind and was there when the file was written: a
// number in a file that an ended process has left may be anybody's.
func (k Kind) FromFile(path string) (ID, error) {
	pid, written, err := readPID(path)
	if err != nil {
		return ID{}, err
	}
	id, err := k.Verify(pid)
	if err != nil {
		return ID{}, fmt.Errorf("%s: %w", path, err)
	}
	began, err := id.began()
	if err != nil {
		return ID{}, fmt.Errorf("%s: %w", path, err)
	}
	if began.After(written.Add(startTolerance)) {
		return ID{}, fmt.Errorf("%s was written before process %d was started, so it names another one and nothing is signalled; "+
			"touch the file if it is the right one and the clock was changed meanwhile", path, pid)
	}
	return id, nil
}

// Named is the process that a pid file names, whatever it is: only FromFile says that it is the one that is meant.
func Named(path string) (ID, error) {
	pid, _, err := readPID(path)
	if err != nil {
		return ID{}, err
	}
	id, err := Identify(pid)
	if err == nil && !id.Alive() {
		err = fmt.Errorf("process %d has ended", pid)
	}
	if err != nil {
		return ID{}, fmt.Errorf("%s: %w", path, err)
	}
	return id, nil
}

// startTolerance is by how much the times of a process and of a file may disagree.
const startTolerance = 2 * time.Second

// began is when the process was started, by the clock of files.
func (id ID) began() (time.Time, error) {
	var up unix.Timespec
	now := time.Now()
	ticks, err := strconv.ParseInt(id.start, 10, 64)
	if err = errors.Join(err, unix.ClockGettime(unix.CLOCK_BOOTTIME, &up)); err != nil {
		return time.Time{}, fmt.Errorf("when process %d was started can't be told: %w", id.PID, err)
	}
	return now.Add(-time.Duration(up.Nano()) + time.Duration(ticks)*time.Second/userHz), nil
}

// userHz is the number of clock ticks a second in what the kernel tells.
const userHz = 100

// readPID reads a pid file. It never waits for one, whatever the name leads to.
func readPID(path string) (pid int, written time.Time, err error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return 0, written, err
	}
	defer func() { _ = f.Close() }() // It was only read.
	info, err := f.Stat()
	if err != nil {
		return 0, written, err
	}
	if !info.Mode().IsRegular() {
		return 0, written, fmt.Errorf("%s is no pid file: it isn't even a file", path)
	}
	text, err := io.ReadAll(io.LimitReader(f, 64))
	if err != nil {
		return 0, written, err
	}
	digits := strings.TrimSpace(string(text))
	number, err := strconv.ParseUint(digits, 10, 31)
	if err != nil || number == 0 {
		return 0, written, fmt.Errorf("%s %w", path, ErrNoID)
	}
	return int(number), info.ModTime(), nil
}
