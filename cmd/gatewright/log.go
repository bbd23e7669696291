package main

import (
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/gatewright/gatewright/controller/pipeline"
)

// logOptions are the flags that every subcommand has.
type logOptions struct {
	format  string
	verbose bool
}

func (o *logOptions) flags(f *pflag.FlagSet) {
	choice(f, &o.format, "log-format", "", []string{"text", "json"}, "what is written to stderr: text for people, or one JSON object a line")
	f.BoolVarP(&o.verbose, "verbose", "v", false, "say more: everything that is refused, and how long each step took")
}

// logger writes what happens to stderr, for what goes on running: text for people, or one JSON object a line.
func (o *logOptions) logger(out io.Writer) *slog.Logger {
	level := slog.LevelInfo
	if o.verbose {
		level = slog.LevelDebug
	}
	options := &slog.HandlerOptions{Level: level, ReplaceAttr: readable}
	if o.format == "json" {
		return slog.New(slog.NewJSONHandler(out, options))
	}
	return slog.New(slog.NewTextHandler(out, options))
}

// readable leaves out what has nothing to say, and writes durations as people do: "1.234s".
func readable(_ []string, a slog.Attr) slog.Attr {
	switch a.Value.Kind() {
	case slog.KindString:
		if a.Value.String() == "" {
			return slog.Attr{}
		}
	case slog.KindDuration:
		d := a.Value.Duration()
		for _, unit := range []time.Duration{time.Second, time.Millisecond} {
			if d >= unit {
				d = d.Round(unit / 1000)
				break
			}
		}
		return slog.String(a.Key, d.String())
	}
	return a
}

// journal writes to stderr what a command that ends has to say: text for people, or one JSON object a line.
type journal struct {
	out     io.Writer
	json    *slog.Logger // nil for text
	verbose bool
}

func (o *logOptions) journal(out io.Writer) *journal {
	j := &journal{out: out, verbose: o.verbose}
	if o.format == "json" {
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

// summary tells what is served, what is not and why, and what became of it.
func (j *journal) summary(r *pipeline.Result, outcome string) {
	if j.json != nil {
		r.Log(j.json, outcome)
		return
	}
	r.Summary(j.out, outcome, j.verbose)
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
