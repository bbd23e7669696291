package notify

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// listen is a manager's socket, and what comes to it.
func listen(t *testing.T, name string) func() string {
	t.Helper()
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return func() string {
		t.Helper()
		if err := c.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
			t.Fatal(err)
		}
		text := make([]byte, 1024)
		n, err := c.Read(text)
		if err != nil {
			t.Fatal(err)
		}
		return string(text[:n])
	}
}

// TestManager: it is told once that all is ready, and of each status that is another one.
func TestManager(t *testing.T) {
	dir, err := os.MkdirTemp("", "notify")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	for _, socket := range []string{filepath.Join(dir, "s"), "@gatewright-" + filepath.Base(dir)} {
		m, came := At(socket), listen(t, socket)
		m.Waiting("waits")
		if got := came(); got != "STATUS=waits" {
			t.Errorf("%q", got)
		}
		m.Ready("serves generation 1")
		if got := came(); got != "READY=1\nSTATUS=serves generation 1" {
			t.Errorf("%q", got)
		}
		m.Ready("serves generation 1")
		m.Ready(strings.Repeat("é", 150) + "\nREADY=0")
		if got := came(); got != "STATUS="+strings.Repeat("é", 100)+"…" {
			t.Errorf("%q", got)
		}
		m.Stopping("drains", time.Minute)
		if got := came(); got != "STOPPING=1\nEXTEND_TIMEOUT_USEC=60000000\nSTATUS=drains" {
			t.Errorf("%q", got)
		}
	}
}

// TestNobody: without a manager, and with one that doesn't listen, nothing happens; and who comes later is told all.
func TestNobody(t *testing.T) {
	for _, none := range []string{"", "relative", "vsock:2:1"} {
		if m := At(none); m != nil {
			t.Errorf("%q is a socket", none)
		} else {
			m.Ready("")
		}
	}
	socket := filepath.Join(t.TempDir(), "s")
	m := At(socket)
	m.Ready("first")
	came := listen(t, socket)
	m.Ready("first")
	if got := came(); got != "READY=1\nSTATUS=first" {
		t.Errorf("%q", got)
	}
}

// TestProcess: programs that are started from here have no manager.
func TestProcess(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "s")
	t.Setenv(variable, socket)
	came := listen(t, socket)
	Process().Ready("here")
	if got := came(); got != "READY=1\nSTATUS=here" {
		t.Errorf("%q", got)
	}
	if _, left := os.LookupEnv(variable); left {
		t.Error("it is in the environment still")
	}
}
