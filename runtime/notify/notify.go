// Package notify tells the service manager that has started this process how it is, as sd_notify(3) of systemd does. Without one it
// tells nobody.
package notify

import (
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"time"
)

// variable names the socket of the manager.
const variable = "NOTIFY_SOCKET"

// maxStatus is how long a status may be, in bytes: it is for one line of a person's terminal.
const maxStatus = 200

// ready is said once.
const ready = "READY=1"

// Manager is who has started this process; nil is nobody.
type Manager struct {
	address *net.UnixAddr

	mu    sync.Mutex
	ready bool
	said  string
}

// Process is the manager of this process. It is taken out of the environment, so that no program that is started from here speaks in
// this one's name: HAProxy would.
var Process = sync.OnceValue(func() *Manager {
	name := os.Getenv(variable)
	_ = os.Unsetenv(variable) // It fails for no such name.
	return At(name)
})

// At is the manager with a socket, by its path or, with an @ before it, by its abstract name; nil for "" and for what is neither.
func At(socket string) *Manager {
	if !strings.HasPrefix(socket, "/") && !strings.HasPrefix(socket, "@") {
		return nil
	}
	return &Manager{address: &net.UnixAddr{Name: socket, Net: "unixgram"}}
}

// Ready says that this process does its work, once, and how it is in a line.
func (m *Manager) Ready(status string) { m.tell(status, ready) }

// Waiting says what keeps it from its work.
func (m *Manager) Waiting(status string) { m.tell(status, "") }

// Stopping says that it is about to end, and how long that may take at most: nobody is to end it before.
func (m *Manager) Stopping(status string, most time.Duration) {
	m.tell(status, fmt.Sprintf("STOPPING=1\nEXTEND_TIMEOUT_USEC=%d", most.Microseconds()))
}

func (m *Manager) tell(status, state string) {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	var lines []string
	if state != "" && (state != ready || !m.ready) {
		lines = append(lines, state)
	}
	if status = line(status); status != m.said {
		lines = append(lines, "STATUS="+status)
	}
	if len(lines) == 0 {
		return
	}
	conn, err := net.DialUnix("unixgram", nil, m.address)
	if err == nil {
		_, err = conn.Write([]byte(strings.Join(lines, "\n")))
		_ = conn.Close() // What it has sent is sent.
	}
	if err != nil {
		return // Nobody listens: the next one is told again.
	}
	m.ready, m.said = m.ready || state == ready, status
}

// line is the first line of a text, cut where it is too long.
func line(text string) string {
	text, _, _ = strings.Cut(strings.TrimSpace(text), "\n")
	if len(text) > maxStatus {
		text = strings.ToValidUTF8(text[:maxStatus], "") + "…"
	}
	return text
}
