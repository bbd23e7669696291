package endpoints

import (
	"fmt"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// forceBuffer sets a socket's receive buffer beyond the system's limit, where the process may.
func forceBuffer(fd uintptr, size int) {
	// Without the right to do so, what SetReadBuffer got stays.
	_ = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUFFORCE, size)
}

// unread is how much nginx has not read yet of what was sent from an address, in bytes of its fullest socket. It
// is false when that can't be told. The sockets are on this machine, so the kernel's table has them.
func unread(server netip.AddrPort) (most int, ok bool) {
	if !server.Addr().Is4() {
		return 0, false
	}
	table, err := os.ReadFile("/proc/self/net/udp")
	if err != nil {
		return 0, false
	}
	a := server.Addr().As4()
	remote := fmt.Sprintf("%02X%02X%02X%02X:%04X", a[3], a[2], a[1], a[0], server.Port())
	for line := range strings.Lines(string(table)) {
		// The columns are number, local address, remote address, state, and bytes to send and to read.
		columns := strings.Fields(line)
		if len(columns) < 5 || columns[2] != remote {
			continue
		}
		_, queue, _ := strings.Cut(columns[4], ":")
		if n, err := strconv.ParseInt(queue, 16, 64); err == nil {
			most, ok = max(most, int(n)), true
		}
	}
	return most, ok
}
