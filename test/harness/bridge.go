package harness

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/gatewright/gatewright/generators"
	"github.com/gatewright/gatewright/generators/relay"
)

// bridgeSocketName and bridgeStatusName are the bridge's sockets in a folder of its own.
const bridgeSocketName, bridgeStatusName = "bridge.sock", "status.sock"

// bridgeDrain is how long a bridge goes on that is told to end while it has calls.
const bridgeDrain = "5s"

// StartBridge starts a bridge beside the proxy, unless one runs, and returns when it does what was rendered.
func (s *Served) StartBridge() {
	s.t.Helper()
	if s.Bridge == nil {
		// Workers of nginx that root starts are nobody's.
		args := []string{"bridge", "--config", filepath.Join(s.Dir, relay.File), "--socket", filepath.Join(s.bridgeDir, bridgeSocketName),
			"--status", filepath.Join(s.bridgeDir, bridgeStatusName), "--drain", bridgeDrain}
		if os.Geteuid() == 0 {
			args = append(args, "--socket-user", "nobody")
		}
		s.Bridge = Start(s.t, Program(s.t), args...)
	}
	s.Bridge.waitAnswer(filepath.Join(s.bridgeDir, bridgeStatusName), "/config", func(answer string) bool {
		return strings.Contains(answer, `"generation":"`+s.bridgeWants+`"`)
	})
}

// ReplaceBridge starts another bridge in the place of the one that runs, and tells that to end, which takes as long as its calls do.
func (s *Served) ReplaceBridge() (old *Process) {
	s.t.Helper()
	old, s.Bridge = s.Bridge, nil
	s.StartBridge()
	s.Bridge.waitAnswer(filepath.Join(s.bridgeDir, bridgeStatusName), "/config", func(answer string) bool {
		return strings.Contains(answer, `"pid":`+strconv.Itoa(s.Bridge.PID()))
	})
	old.Signal(syscall.SIGTERM)
	return old
}

// KillBridge ends the bridge without asking.
func (s *Served) KillBridge() {
	s.Bridge.Kill()
	s.Bridge = nil
}

// bridgeFile is the bridge's configuration for what is served, with a generation of its own each time.
func (s *Served) bridgeFile() (generators.File, error) {
	s.bridgeTimes++
	c := relay.Of(s.Model, "")
	s.bridgeWants = strconv.Itoa(s.bridgeTimes)
	c.Generation = s.bridgeWants
	text, err := c.Text()
	return generators.File{Path: relay.File, Data: text, Secret: c.Secret()}, err
}
