package harness

import "sync"

// Scope is a part of a test: what is started in it stops at its end, not at the test's.
type Scope struct {
	T
	mu       sync.Mutex
	cleanups []func()
}

// NewScope begins a part of a test. The caller ends it.
func NewScope(t T) *Scope { return &Scope{T: t} }

// Cleanup runs a function at the end of the scope, the last one first.
func (s *Scope) Cleanup(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cleanups = append(s.cleanups, f)
}

// End stops what was started.
func (s *Scope) End() {
	s.mu.Lock()
	cleanups := s.cleanups
	s.cleanups = nil
	s.mu.Unlock()
	for i := len(cleanups) - 1; i >= 0; i-- {
		cleanups[i]()
	}
}
