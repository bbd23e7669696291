package process

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Listening are the addresses and ports where anybody on this host takes TCP connections.
func Listening() ([]netip.AddrPort, error) {
	var out []netip.AddrPort
	sockets, err := listening()
	for _, place := range sockets {
		out = append(out, place)
	}
	return out, err
}

// Bound are the addresses and ports where processes take TCP connections. The error means that it can't be told, for their
// files aren't to be seen.
func Bound(pids ...int) ([]netip.AddrPort, error) {
	sockets, err := listening()
	if err != nil {
		return nil, err
	}
	var out []netip.AddrPort
	seen := map[netip.AddrPort]bool{}
	for _, pid := range pids {
		dir := fmt.Sprintf("/proc/%d/fd", pid)
		entries, err := os.ReadDir(dir)
		if errors.Is(err, fs.ErrNotExist) {
			continue // It has just ended.
		}
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			target, _ := os.Readlink(filepath.Join(dir, e.Name())) // It was closed meanwhile, or isn't a socket.
			if place, ok := sockets[target]; ok && !seen[place] {
				seen[place] = true
				out = append(out, place)
			}
		}
	}
	return out, nil
}

// listening are the places by the names of sockets in /proc/PID/fd.
func listening() (map[string]netip.AddrPort, error) {
	out := map[string]netip.AddrPort{}
	for _, name := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		table, err := os.ReadFile(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue // A host without IPv6.
		}
		if err != nil {
			return nil, err
		}
		for line := range strings.Lines(string(table)) {
			// sl local_address rem_address st queues timer retransmits uid timeout inode
			fields := strings.Fields(line)
			if len(fields) < 10 || fields[3] != "0A" {
				continue
			}
			if place, ok := parsePlace(fields[1]); ok {
				out["socket:["+fields[9]+"]"] = place
			}
		}
	}
	return out, nil
}

// parsePlace reads an address and port as the kernel writes them: "0100007F:1F90", in words of the machine's order.
func parsePlace(text string) (netip.AddrPort, bool) {
	address, port, _ := strings.Cut(text, ":")
	raw, err := hex.DecodeString(address)
	number, failed := strconv.ParseUint(port, 16, 16)
	if err != nil || failed != nil || len(raw)%4 != 0 {
		return netip.AddrPort{}, false
	}
	for i := 0; i < len(raw); i += 4 {
		binary.BigEndian.PutUint32(raw[i:], binary.NativeEndian.Uint32(raw[i:]))
	}
	ip, ok := netip.AddrFromSlice(raw)
	return netip.AddrPortFrom(ip.Unmap(), uint16(number)), ok
}

// HasIPv6 says whether this host takes connections by IPv6 at all.
func HasIPv6() bool {
	fd, err := unix.Socket(unix.AF_INET6, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return false
	}
	err = unix.Bind(fd, &unix.SockaddrInet6{})
	return errors.Join(err, unix.Close(fd)) == nil
}

// HasRights says whether a binary has rights of its own, whoever starts it.
func HasRights(binary string) bool {
	path, err := exec.LookPath(binary)
	if err != nil {
		return false
	}
	info, err := os.Stat(path)
	if err == nil && info.Mode()&fs.ModeSetuid != 0 {
		return true
	}
	n, err := unix.Getxattr(path, "security.capability", nil)
	return err == nil && n > 0
}
