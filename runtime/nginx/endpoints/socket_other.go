//go:build !linux

package endpoints

import "net/netip"

// forceBuffer has no way to do more than SetReadBuffer.
func forceBuffer(uintptr, int) {}

// unread can't be told.
func unread(netip.AddrPort) (int, bool) { return 0, false }
