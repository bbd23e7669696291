package main

import (
	"fmt"
	"os"
)

// stage is what the harness takes for a test: it knows what to stop at the end.
type stage struct {
	cleanups []func()
	failed   bool
}

func (s *stage) Helper() {}

func (s *stage) Logf(format string, args ...any) { fmt.Printf(format+"\n", args...) }

func (s *stage) Errorf(format string, args ...any) {
	s.failed = true
	fmt.Fprintf(os.Stderr, "demo: "+format+"\n", args...)
}

// Fatalf stops everything and ends the program.
func (s *stage) Fatalf(format string, args ...any) {
	s.Errorf(format, args...)
	s.end()
}

func (s *stage) Failed() bool { return s.failed }

func (s *stage) Cleanup(f func()) { s.cleanups = append(s.cleanups, f) }

// end stops what was started, the last one first, and ends the program when something failed.
func (s *stage) end() {
	cleanups := s.cleanups
	s.cleanups = nil
	for i := len(cleanups) - 1; i >= 0; i-- {
		cleanups[i]()
	}
	if s.failed {
		os.Exit(1)
	}
}
