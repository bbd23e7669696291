package main

import (
	"fmt"
	"io"
	"log/slog"
	"strings"
)

// journal writes to stderr: text for people, or one JSON object a line.
type journal struct {
	out     io.Writer
	json    *slog.Logger // nil for text
	verbose bool
}

func (o *logOptions) journal(out io.Writer) *journal {
	j := &journal{out: out, verbose: o.verbose}
	if o.logFormat == "json" {
		j.json = slog.New(slog.NewJSONHandler(out, nil))
	}
	return j
}

// fail reports what ended a subcommand.
func (j *journal) fail(command string, err error) {
	if j.json != nil {
		j.json.Error(err.Error(), "command", command)
		return
	}
	text := err.Error()
	if strings.Contains(text, "\n") {
		// Several problems: each on a line of its own.
		text = "\n  " + strings.ReplaceAll(text, "\n", "\n  ")
	}
	fmt.Fprintf(j.out, "%s: %s\n", command, text)
}

// notes reports what a person should know that isn't an error.
func (j *journal) notes(notes []string) {
	if j.json != nil {
		for _, n := range notes {
			j.json.Info(n, "event", "note")
		}
		return
	}
	for _, n := range notes {
		fmt.Fprintln(j.out, "note:", n)
	}
}
