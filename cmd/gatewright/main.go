package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"

	"github.com/gatewright/gatewright/runtime/process"
)

// The exit codes. Every subcommand says in its help which of them it has.
const (
	exitFine  = 0
	exitError = 1
	// exitRefused says that the work was done, but something asked for isn't served.
	exitRefused = 2
	// exitDrift says that the output folder differs from what would be written.
	exitDrift = 3
)

// exitCode ends a subcommand with a code that isn't an error: everything there is to say has been said.
type exitCode int

func (c exitCode) Error() string { return fmt.Sprintf("exit code %d", int(c)) }

func main() {
	lazyGC()
	go process.ReapOrphans(context.Background())
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// run is the whole program: it returns the exit code.
func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	log := &logOptions{}
	root := newRoot(log)
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	cmd, err := root.ExecuteC()
	var code exitCode
	switch {
	case err == nil:
		return exitFine
	case errors.As(err, &code):
		return int(code)
	}
	log.journal(stderr).fail(cmd.CommandPath(), err)
	return exitError
}

// lazyGC lets a run that lives for a second collect less often, for most of what it allocates is needed to the
// end. Whoever sets GOGC or GOMEMLIMIT decides for himself.
func lazyGC() {
	if os.Getenv("GOGC") == "" && os.Getenv("GOMEMLIMIT") == "" {
		debug.SetGCPercent(gcPercent)
	}
}

// eagerGC is for what runs for long: Go's own default.
func eagerGC() {
	if os.Getenv("GOGC") == "" && os.Getenv("GOMEMLIMIT") == "" {
		debug.SetGCPercent(100)
	}
}

// gcPercent takes about a seventh off the CPU time of rendering 10,000 rules, and keeps the process under 200 MB there.
const gcPercent = 300
