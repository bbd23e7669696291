package process

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Alive says whether a process runs; one that has ended and waits for its parent doesn't.
func Alive(pid int) bool {
	fields, err := stat(pid)
	return err == nil && fields[statState] != "Z" && fields[statState] != "X"
}

// Parent is the id of a process's parent; 0 when it isn't known.
func Parent(pid int) int {
	fields, err := stat(pid)
	if err != nil {
		return 0
	}
	parent, err := strconv.Atoi(fields[statParent])
	if err != nil {
		return 0
	}
	return parent
}

// Where things stand behind the name in /proc/PID/stat.
const (
	statState, statParent, statGroup, statUserTime, statSystemTime, statStart = 0, 1, 2, 11, 12, 19
)

// stat is what the kernel tells of a process, from its state on.
func stat(pid int) ([]string, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return nil, err
	}
	// The name stands in brackets and may have any character in it.
	end := bytes.LastIndexByte(text, ')')
	if end < 0 {
		return nil, fmt.Errorf("/proc/%d/stat has no name in it", pid)
	}
	fields := strings.Fields(string(text[end+1:]))
	if len(fields) <= statStart {
		return nil, fmt.Errorf("/proc/%d/stat is too short", pid)
	}
	return fields, nil
}

// commandLine is what a process was started with. One that starts another program, or itself again as HAProxy's master does,
// has none for a moment.
func commandLine(pid int) []byte {
	for end := time.Now().Add(100 * time.Millisecond); ; time.Sleep(time.Millisecond) {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		if err != nil || len(text) > 0 || !Alive(pid) || time.Now().After(end) {
			return text
		}
		if _, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid)); err != nil {
			return nil // A thread of the kernel.
		}
	}
}

// Title is a process's command line with spaces between; "" when it has ended or is not to be seen.
func Title(pid int) string {
	return strings.TrimSpace(string(bytes.ReplaceAll(commandLine(pid), []byte{0}, []byte{' '})))
}

// Arguments are a process's arguments, the name that it was called by first; nil when it has ended or is not to be seen. A program
// may write over them: nginx's are its title.
func Arguments(pid int) []string {
	text := commandLine(pid)
	if len(text) == 0 {
		return nil
	}
	return strings.Split(strings.TrimRight(string(text), "\x00"), "\x00")
}

// Name is the name of a process's program, at most 15 bytes of it.
func Name(pid int) string {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
}

// All are the ids of all processes that are to be seen, sorted.
func All() ([]int, error) {
	names, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return nil, err
	}
	var pids []int
	for _, name := range names {
		if pid, err := strconv.Atoi(filepath.Base(name)); err == nil {
			pids = append(pids, pid)
		}
	}
	slices.Sort(pids)
	return pids, nil
}

// Children are the ids of the living children of a process, sorted.
func Children(pid int) []int {
	return slices.DeleteFunc(childrenOf(pid), func(child int) bool { return !Alive(child) })
}

// childrenOf are all of them, those that have ended too.
func childrenOf(pid int) []int {
	var out []int
	threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid)) // The pattern is well formed.
	for _, name := range threads {
		text, err := os.ReadFile(name)
		if err != nil {
			continue
		}
		for _, field := range strings.Fields(string(text)) {
			if child, err := strconv.Atoi(field); err == nil {
				out = append(out, child)
			}
		}
	}
	slices.Sort(out)
	return out
}

// Wait returns when a process has ended, which need not be a child of this one, or ctx has. A child has to be
// reaped by somebody else.
func Wait(ctx context.Context, id ID) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for id.Alive() {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
	return nil
}

// Listeners are the ids of the processes that have a unix socket open which is bound to a path. Those whose
// files this process may not see are missing.
func Listeners(socket string) ([]int, error) {
	table, err := os.ReadFile("/proc/net/unix")
	if err != nil {
		return nil, err
	}
	inodes := map[string]bool{}
	for line := range strings.Lines(string(table)) {
		// Num RefCount Protocol Flags Type St Inode Path
		fields := strings.Fields(line)
		if len(fields) >= 8 && strings.Join(fields[7:], " ") == socket {
			inodes["socket:["+fields[6]+"]"] = true
		}
	}
	if len(inodes) == 0 {
		return nil, nil
	}
	pids, err := All()
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(pids, func(pid int) bool { return !holds(pid, inodes) }), nil
}

func holds(pid int, inodes map[string]bool) bool {
	dir := fmt.Sprintf("/proc/%d/fd", pid)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return false
	}
	for _, e := range entries {
		if target, err := os.Readlink(filepath.Join(dir, e.Name())); err == nil && inodes[target] {
			return true
		}
	}
	return false
}

// RemoveSocket removes a unix socket that nobody listens at any more, which its program left when it was killed.
func RemoveSocket(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.Mode()&fs.ModeSocket == 0 {
		return fmt.Errorf("%s is not a socket: move it away", path)
	}
	pids, err := Listeners(path)
	if err != nil {
		return err
	}
	if len(pids) > 0 {
		return fmt.Errorf("process %d (%s) listens at %s", pids[0], Name(pids[0]), path)
	}
	return os.Remove(path)
}
