package harness

import (
	"fmt"
	"os"
	"sync/atomic"
)

// Stage is a T for programs: it knows what to stop at the end.
type Stage struct {
	name     string
	cleanups []func()
	failed   atomic.Bool
}

// NewStage is the stage of a program with that name. The program ends it.
func NewStage(name string) *Stage { return &Stage{name: name} }

// Helper does nothing.
func (s *Stage) Helper() {}

// Name is the program's.
func (s *Stage) Name() string { return s.name }

// Logf prints a line.
func (s *Stage) Logf(format string, args ...any) { fmt.Printf(format+"\n", args...) }

// Errorf says what is wrong, and goes on.
func (s *Stage) Errorf(format string, args ...any) {
	s.failed.Store(true)
	fmt.Fprintf(os.Stderr, s.name+": "+format+"\n", args...)
}

// Fatalf stops everything and ends the program.
func (s *Stage) Fatalf(format string, args ...any) {
	s.Errorf(format, args...)
	s.End()
}

// Failed says whether something is wrong.
func (s *Stage) Failed() bool { return s.failed.Load() }

// Cleanup runs a function at the end, the last one first.
func (s *Stage) Cleanup(f func()) { s.cleanups = append(s.cleanups, f) }

// End stops what was started, the last one first, and ends the program when something failed.
func (s *Stage) End() {
	cleanups := s.cleanups
	s.cleanups = nil
	for i := len(cleanups) - 1; i >= 0; i-- {
		cleanups[i]()
	}
	if s.failed.Load() {
		os.Exit(1)
	}
}
