package serve

import (
	"os"
	"os/signal"
	"syscall"
)

// Signals takes the signals for what serves, when it begins to. Before that, and after stop, they end the process as usual,
// so that one that hangs can be ended.
type Signals func() (signals <-chan os.Signal, stop func())

// EngineSignals are those of this process that an Engine knows.
func EngineSignals() (<-chan os.Signal, func()) {
	return notified(syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGUSR2)
}

// SidecarSignals are those of this process that a Sidecar knows.
func SidecarSignals() (<-chan os.Signal, func()) {
	return notified(syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
}

func notified(which ...os.Signal) (<-chan os.Signal, func()) {
	signals := make(chan os.Signal, 10)
	signal.Notify(signals, which...)
	return signals, func() { signal.Stop(signals) }
}
