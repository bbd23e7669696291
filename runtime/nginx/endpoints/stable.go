package endpoints

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"

	"github.com/gatewright/gatewright/runtime/folder"
)

// addressName is the file in the state folder that holds the address.
const addressName = "resolver"

// ListenStable is Listen at the address that an earlier run had in the same state folder, where an nginx that
// runs still asks. When somebody else has that now, or there was none, a free port of 127.0.0.1 is taken and kept
// in the folder; nginx learns it by the reload that follows, for its files name it. What that run told last is
// answered until the first Set.
func ListenStable(stateDir string, log *slog.Logger) (*Server, error) {
	s, err := listenAgain(filepath.Join(stateDir, addressName), log)
	if err != nil {
		return nil, err
	}
	kept := filepath.Join(stateDir, keptName)
	if err := s.restore(kept); err != nil {
		log.Warn("an nginx that starts has no endpoints before they are known anew", "error", err)
	}
	s.running.Go(func() { s.keep(kept) })
	s.learnt = filepath.Join(stateDir, learntName)
	return s, nil
}

// listenAgain listens at the address that a file has, or at another one, and keeps that there.
func listenAgain(file string, log *slog.Logger) (*Server, error) {
	text, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("the address where nginx asks for endpoints: %w", err)
	}
	if address, err := netip.ParseAddrPort(strings.TrimSpace(string(text))); err == nil && address.Addr().IsLoopback() && address.Port() != 0 {
		s, err := Listen(address, log)
		if err == nil {
			return s, nil
		}
		log.Warn("the address where nginx asks for endpoints is taken; another is used", "address", address.String(), "error", err)
	}
	s, err := Listen(netip.MustParseAddrPort("127.0.0.1:0"), log)
	if err != nil {
		return nil, err
	}
	s.moved = len(text) > 0
	if err := folder.Replace(file, []byte(s.Address()+"\n"), 0o600); err != nil {
		return nil, errors.Join(fmt.Errorf("keep the address where nginx asks for endpoints: %w", err), s.Close())
	}
	return s, nil
}
