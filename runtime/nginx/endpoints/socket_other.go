//go:build !linux

package endpoints

import (
	"errors"
	"net"
	"net/netip"
	"os"
)

var listenConfig net.ListenConfig

func holders(netip.AddrPort) ([]*os.File, error) { return nil, errors.ErrUnsupported }

func shared(netip.AddrPort) bool { return false }

// forceBuffer has no way to do more than SetReadBuffer.
func forceBuffer(uintptr, int) {}

// unread can't be told.
func unread(netip.AddrPort) (int, bool) { return 0, false }
