package harness

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/gatewright/gatewright/runtime/haproxy"
	"github.com/gatewright/gatewright/runtime/process"
)

func validateHAProxy(ctx context.Context, binary, dir string) error {
	joined, err := haproxy.New(haproxy.Options{Binary: binary, State: dir, Config: filepath.Join(dir, "haproxy.cfg"), Find: true})
	if err != nil {
		return err
	}
	return joined.Validate(ctx, dir)
}

// reloadHAProxy returns when the old workers have ended or only finish what they have begun: a new worker
// runs, and the master has told the others to stop by then. HAProxy may lose a signal that comes too early: it is sent
// again when the master has done nothing since.
func reloadHAProxy(p *Process) {
	p.t.Helper()
	before := p.Children()
	var quiet process.Quiet
	p.Signal(syscall.SIGUSR2)
	sent := time.Now()
	p.poll("start a new worker", func() error {
		for _, worker := range p.Children() {
			if !slices.Contains(before, worker) {
				return nil
			}
		}
		if min(quiet.For(p.PID()), time.Since(sent)) > 2*time.Second {
			p.Signal(syscall.SIGUSR2)
			sent = time.Now()
		}
		return fmt.Errorf("its workers are still %v", before)
	})
}
