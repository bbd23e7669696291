package serve

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/gatewright/gatewright/runtime/apply"
	"github.com/gatewright/gatewright/runtime/proxies"
	"github.com/gatewright/gatewright/test/harness"
)

// TestSidecar: a folder's changes come to the proxy; while it can't be used, what was served stays and /status says why. The
// proxy goes on at the end.
func TestSidecar(t *testing.T) {
	from, proxy := t.TempDir(), &fake{}
	main := filepath.Join(from, "main.conf")
	write := func(text string) {
		t.Helper()
		// In one step: nobody reads half of it.
		whole := filepath.Join(t.TempDir(), "whole")
		if err := errors.Join(os.WriteFile(whole, []byte(text), 0o600), os.Rename(whole, main)); err != nil {
			t.Fatal(err)
		}
	}
	write("one")
	o := SidecarOptions{Kind: &proxies.Kind{Name: "fake"}, From: from, Config: "main.conf",
		State: State{Dir: filepath.Join(t.TempDir(), "state"), Keep: 3}, Log: slog.New(slog.DiscardHandler)}
	store, err := o.State.Open()
	if err != nil {
		t.Fatal(err)
	}
	s := newSidecar(o, store, proxy, apply.Hooks{})
	signals, ended := make(chan os.Signal, 1), make(chan error, 1)
	go func() {
		ended <- s.Serve(context.Background(), func() (<-chan os.Signal, func()) { return signals, func() {} })
	}()
	// served waits until the proxy has another generation than the one given and /status has it, with a text.
	served := func(other, text string) string {
		t.Helper()
		generation := ""
		harness.Until(t, "serve the folder", harness.DefaultTimeout, func() error {
			generation, _ = proxy.Running(context.Background())
			if got := string(s.status()); generation == "" || generation == other || got != "generation: "+generation+"\n"+text {
				return fmt.Errorf("the proxy serves %q, status %q", generation, got)
			}
			return nil
		}, func() string { return "" })
		return generation
	}
	first := served("", "")
	if err := os.Remove(main); err != nil {
		t.Fatal(err)
	}
	served("", "error: "+from+" has no file main.conf: name the main file with --config\n")
	if got, _ := proxy.Running(context.Background()); got != first {
		t.Errorf("without its main file the proxy serves %q, not %q", got, first)
	}
	write("two")
	signals <- syscall.SIGHUP
	second := served(first, "")
	if data, err := os.ReadFile(filepath.Join(store.Current(), "main.conf")); err != nil || string(data) != "two" {
		t.Errorf("current has %q (%v) for generation %s", data, err, second)
	}
	signals <- syscall.SIGTERM
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if len(proxy.did) > 0 {
		t.Errorf("the proxy was told: %s", strings.Join(proxy.did, ", "))
	}
}
