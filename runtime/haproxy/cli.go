package haproxy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"
)

// cliTimeout is how long a command may take.
const cliTimeout = 10 * time.Second

// chunk is the most bytes of one command or payload. What doesn't fit in HAProxy's buffer of 16 kB is dropped, by
// 2.6 without a word.
const chunk = 15000

// askWorker sends a line of commands, or a command with a payload, to a worker's socket and returns the answer.
func askWorker(ctx context.Context, socket, text string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, cliTimeout)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, "unix", socket)
	if err != nil {
		return "", fmt.Errorf("HAProxy's socket: %w", err)
	}
	deadline, _ := ctx.Deadline()
	err = conn.SetDeadline(deadline)
	if err == nil {
		_, err = io.WriteString(conn, text+"\n")
	}
	var out []byte
	if err == nil {
		out, err = io.ReadAll(conn)
	}
	if err = errors.Join(err, conn.Close()); err != nil {
		return "", fmt.Errorf("HAProxy's socket: %.60q: %w", text, err)
	}
	return string(out), nil
}

// tell sends what HAProxy has nothing to say about when it does it.
func tell(ctx context.Context, socket, text string) error {
	out, err := askWorker(ctx, socket, text)
	if err == nil && strings.TrimSpace(out) != "" {
		err = fmt.Errorf("HAProxy's socket: %.60q: %.200s", text, strings.TrimSpace(out))
	}
	return err
}

// word writes a word of a command.
var word = strings.NewReplacer(`\`, `\\`, `;`, `\;`, ` `, `\ `)

// workerPID asks which worker answers.
func workerPID(ctx context.Context, socket string) (int, error) {
	out, err := askWorker(ctx, socket, "show info")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(out) {
		if text, ok := strings.CutPrefix(line, "Pid: "); ok {
			return strconv.Atoi(strings.TrimSpace(text))
		}
	}
	return 0, errors.New("HAProxy's socket doesn't tell the worker's process id")
}
