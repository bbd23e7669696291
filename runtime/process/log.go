package process

import (
	"context"
	"errors"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Log is a file that a program appends what it says to, so that it goes on when the one who started it ends.
// While Copy runs it is kept short.
type Log struct {
	path string
	file *os.File
}

// OpenLog opens a log, making it when it isn't there.
func OpenLog(path string) (*Log, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|os.O_APPEND|unix.O_NOFOLLOW, 0o640)
	if err != nil {
		return nil, err
	}
	return &Log{path: path, file: f}, nil
}

// File is for the program to write to.
func (l *Log) File() *os.File { return l.file }

// Close closes it; the program has its own.
func (l *Log) Close() error { return l.file.Close() }

// Size is how much has been said, in bytes; a place to read From later.
func (l *Log) Size() int64 {
	info, err := l.file.Stat()
	if err != nil {
		return 0
	}
	return info.Size()
}

// From is what was said since a Size, at most the last 64 KiB of it.
func (l *Log) From(start int64) string {
	const most = 64 << 10
	end := l.Size()
	if end < start {
		start = 0 // It was cut meanwhile.
	}
	start = max(start, end-most)
	text := make([]byte, end-start)
	n, err := l.file.ReadAt(text, start)
	if err != nil && !errors.Is(err, io.EOF) {
		return ""
	}
	return string(text[:n])
}

// maxLog is how long a log may get before it is cut, in bytes. Up to twice that it is cut only when all of it was passed on;
// of a program that never pauses, something is lost then.
const maxLog = 16 << 20

// Copy writes what is said from now on to out, until ctx ends, and cuts the file when it gets long.
func (l *Log) Copy(ctx context.Context, out io.Writer) {
	at := l.Size()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		done := false
		select {
		case <-ctx.Done():
			done = true
		case <-tick.C:
		}
		size := l.Size()
		if size < at {
			at = 0
		}
		if size > at {
			n, err := io.Copy(out, io.NewSectionReader(l.file, at, size-at))
			at += n
			if err != nil {
				return
			}
		}
		if (at > maxLog && at == l.Size() || at > 2*maxLog) && l.file.Truncate(0) == nil {
			at = 0
		}
		if done {
			return
		}
	}
}
