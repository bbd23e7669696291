package process

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// Account is as whom a process opens files.
type Account struct {
	UID int
	// Groups are all that it is in; nil when they aren't known.
	Groups []int
	// All says that permissions don't bind it.
	All bool
}

// AccountOf is the account of a process.
func AccountOf(pid int) (Account, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return Account{}, fmt.Errorf("process %d has ended", pid)
	}
	a := Account{UID: -1, Groups: []int{}}
	for line := range strings.Lines(string(text)) {
		name, rest, _ := strings.Cut(line, ":")
		switch fields := strings.Fields(rest); name {
		case "Uid":
			a.UID, err = strconv.Atoi(fields[effective])
		case "Gid":
			a.Groups = append(a.Groups, numbers(fields[effective:effective+1])...)
		case "Groups":
			a.Groups = append(a.Groups, numbers(fields)...)
		case "CapEff":
			mask, failed := strconv.ParseUint(fields[0], 16, 64)
			a.All = failed == nil && mask&(1<<unix.CAP_DAC_OVERRIDE|1<<unix.CAP_DAC_READ_SEARCH) != 0
		}
		if err != nil {
			return Account{}, fmt.Errorf("process %d has no user: %w", pid, err)
		}
	}
	return a, nil
}

// effective is where the id that counts stands among the four that the kernel tells.
const effective = 1

func numbers(fields []string) []int {
	var out []int
	for _, field := range fields {
		if n, err := strconv.Atoi(field); err == nil {
			out = append(out, n)
		}
	}
	return out
}

// Reads says whether the account may read a file.
func (a Account) Reads(info fs.FileInfo) bool {
	s, ok := info.Sys().(*syscall.Stat_t)
	mode := info.Mode().Perm()
	switch {
	case !ok || a.All:
		return true
	case int(s.Uid) == a.UID:
		return mode&0o400 != 0
	case a.Groups == nil && mode&0o040 != 0 || slices.Contains(a.Groups, int(s.Gid)):
		return mode&0o040 != 0
	}
	return mode&0o004 != 0
}

// Peer is who began to listen at a unix socket: the process as it is numbered here, 0 when it isn't to be seen in this process
// namespace, and its account. The error says that nobody takes connections, or not ours.
func Peer(socket string) (pid int, who Account, err error) {
	conn, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: socket, Net: "unix"})
	if err != nil {
		return 0, Account{}, err
	}
	defer func() { _ = conn.Close() }() // Nothing was asked.
	raw, err := conn.SyscallConn()
	if err != nil {
		return 0, Account{}, err
	}
	var cred *unix.Ucred
	var failed error
	err = raw.Control(func(fd uintptr) { cred, failed = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) })
	if err = errors.Join(err, failed); err != nil {
		return 0, Account{}, fmt.Errorf("%s doesn't tell who listens: %w", socket, err)
	}
	return int(cred.Pid), Account{UID: int(cred.Uid), All: cred.Uid == 0}, nil
}
