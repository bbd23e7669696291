package endpoints

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// listenConfig lets sockets of one user share an address: those that are held and those that answer.
var listenConfig = net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
	var err error
	return errors.Join(c.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1) }), err)
}}

// discard is the port that a held socket is connected to, so that no question comes to it.
const discard = 9

// holders returns sockets that have an address and take nothing: one for UDP that is connected elsewhere, and one for TCP that
// doesn't listen.
func holders(address netip.AddrPort) (held []*os.File, err error) {
	for _, kind := range []int{unix.SOCK_DGRAM, unix.SOCK_STREAM} {
		f, err := holder(address, kind)
		if err != nil {
			for _, f := range held {
				err = errors.Join(err, f.Close())
			}
			return nil, err
		}
		held = append(held, f)
	}
	return held, nil
}

func holder(address netip.AddrPort, kind int) (*os.File, error) {
	family := unix.AF_INET6
	if address.Addr().Unmap().Is4() {
		family = unix.AF_INET
	}
	fd, err := unix.Socket(family, kind|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("hold %s: %w", address, err)
	}
	f := os.NewFile(uintptr(fd), "held "+address.String())
	err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1)
	if err == nil {
		err = unix.Bind(fd, sockaddr(address))
	}
	if err == nil && kind == unix.SOCK_DGRAM {
		err = unix.Connect(fd, sockaddr(netip.AddrPortFrom(address.Addr(), discard)))
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("hold %s: %w", address, err), f.Close())
	}
	return f, nil
}

func sockaddr(a netip.AddrPort) unix.Sockaddr {
	if ip := a.Addr().Unmap(); ip.Is4() {
		return &unix.SockaddrInet4{Port: int(a.Port()), Addr: ip.As4()}
	}
	return &unix.SockaddrInet6{Port: int(a.Port()), Addr: a.Addr().As16()}
}

// shared says whether another socket than ours takes questions at an address: the system lets one user have several there.
func shared(address netip.AddrPort) bool {
	table, own, err := udpTable(address)
	if err != nil {
		return false
	}
	takers := 0
	for _, columns := range table {
		if columns[1] == own && strings.HasSuffix(columns[2], ":0000") {
			takers++
		}
	}
	return takers > 1
}

// udpTable are the kernel's lines of UDP sockets, as columns, and an address as it is written there. The columns are number,
// local address, remote address, state, and bytes to send and to read.
func udpTable(address netip.AddrPort) (lines [][]string, written string, err error) {
	if !address.Addr().Unmap().Is4() {
		return nil, "", errors.ErrUnsupported
	}
	text, err := os.ReadFile("/proc/self/net/udp")
	for line := range strings.Lines(string(text)) {
		if columns := strings.Fields(line); len(columns) >= 5 {
			lines = append(lines, columns)
		}
	}
	a := address.Addr().Unmap().As4()
	return lines, fmt.Sprintf("%02X%02X%02X%02X:%04X", a[3], a[2], a[1], a[0], address.Port()), err
}

// forceBuffer sets a socket's receive buffer beyond the system's limit, where the process may.
func forceBuffer(fd uintptr, size int) {
	// Without the right to do so, what SetReadBuffer got stays.
	_ = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUFFORCE, size)
}

// unread is how much nginx has not read yet of what was sent from an address, in bytes of its fullest socket. It
// is false when that can't be told. The sockets are on this machine, so the kernel's table has them.
func unread(server netip.AddrPort) (most int, ok bool) {
	table, remote, err := udpTable(server)
	if err != nil {
		return 0, false
	}
	for _, columns := range table {
		if columns[2] != remote {
			continue
		}
		_, queue, _ := strings.Cut(columns[4], ":")
		if n, err := strconv.ParseInt(queue, 16, 64); err == nil {
			most, ok = max(most, int(n)), true
		}
	}
	return most, ok
}
