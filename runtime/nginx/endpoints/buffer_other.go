//go:build !linux

package endpoints

// forceBuffer has no way to do more than SetReadBuffer.
func forceBuffer(uintptr, int) {}
