package process

import (
	"fmt"
	"syscall"
)

// LimitFiles sets how many files this process and those that it starts may have open, as far as the hard limit allows.
// A distribution's usual soft limit of 1,024 is too low for a proxy, and a container's of a billion has programs take
// memory for all of them. The error says what to do where the hard limit is lower than what is needed at least; the limit
// is set all the same.
func LimitFiles(files, least int) error {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return fmt.Errorf("the limit of open files: %w", err)
	}
	limit.Cur = min(uint64(files), limit.Max)
	// Children get what is set by this call; what Go has set by itself they don't.
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return fmt.Errorf("the limit of open files: %w", err)
	}
	if limit.Max < uint64(least) {
		return fmt.Errorf("the hard limit of open files is %d, and the proxy may need %d: calls fail where it is met; raise it (ulimit -Hn, "+
			"LimitNOFILE= of a systemd unit)",
			limit.Max, least)
	}
	return nil
}
