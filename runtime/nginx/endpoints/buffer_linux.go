package endpoints

import "syscall"

// forceBuffer sets a socket's receive buffer beyond the system's limit, where the process may.
func forceBuffer(fd uintptr, size int) {
	// Without the right to do so, what SetReadBuffer got stays.
	_ = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUFFORCE, size)
}
