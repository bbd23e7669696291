package haproxy

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	native "github.com/haproxytech/client-native/v5/runtime"
	"github.com/haproxytech/client-native/v5/runtime/options"
)

const (
	// chunk is the most bytes of a line of commands, or of a command's payload. What doesn't fit in HAProxy's
	// buffer of 16 kB is dropped, by 2.6 without a word.
	chunk = 15000
	// largest is the most bytes of what can't be divided. The full layout has buffers of 65,536 bytes, and all
	// versions take 65,271 of them, the command before it included; a reload follows where a template has smaller ones.
	largest = 64500
)

// askWorker sends a line of commands, or a command with a payload, to a worker's socket and returns the answer. An
// answer that is cut off is no error to the library: whoever changes something reads it back.
func askWorker(ctx context.Context, socket, text string) (string, error) {
	if err := ctx.Err(); err != nil {
		return "", err
	}
	var client native.SingleRuntime
	err := client.Init(socket, 0, 0, options.RuntimeOptions{DoNotCheckRuntimeOnInit: true})
	var out string
	if err == nil {
		out, err = client.ExecuteRaw(text)
	}
	if err != nil {
		return "", fmt.Errorf("HAProxy's socket: %.60q: %w", text, err)
	}
	return severity.ReplaceAllString(out, ""), nil
}

// severity is the number that the library asks HAProxy to put before what isn't a table.
var severity = regexp.MustCompile(`(?m)^\[\d\]:\s?`)

// sendSilent sends a command that HAProxy answers with nothing when it has done it.
func sendSilent(ctx context.Context, socket, text string) error {
	out, err := askWorker(ctx, socket, text)
	if err == nil && strings.TrimSpace(out) != "" {
		err = fmt.Errorf("HAProxy's socket: %.60q: %.200s", text, strings.TrimSpace(out))
	}
	return err
}

// batch is a list of commands that are sent with as few connections as they fit in: each connection waits for its
// turn in a busy worker.
type batch []string

func (b *batch) add(format string, args ...any) { *b = append(*b, fmt.Sprintf(format, args...)) }

// run sends the commands in order and returns all lines of their answers that aren't empty.
func (b batch) run(ctx context.Context, socket string) ([]string, error) {
	var lines []string
	for _, part := range chunks(b) {
		out, err := askWorker(ctx, socket, strings.Join(part, ";"))
		if err != nil {
			return nil, err
		}
		for line := range strings.Lines(out) {
			if line = strings.TrimSpace(line); line != "" {
				lines = append(lines, line)
			}
		}
	}
	return lines, nil
}

// chunks divides texts into groups that HAProxy takes at once.
func chunks(texts []string) [][]string {
	var out [][]string
	size := 0
	for _, t := range texts {
		if len(out) == 0 || size+len(t)+1 > chunk {
			out, size = append(out, nil), 0
		}
		out[len(out)-1] = append(out[len(out)-1], t)
		size += len(t) + 1
	}
	return out
}

// refusals are the lines of answers that are none of the wanted ones.
func refusals(lines []string, wanted ...string) error {
	lines = slices.DeleteFunc(slices.Clone(lines), func(line string) bool {
		return slices.ContainsFunc(wanted, func(text string) bool { return strings.HasPrefix(line, text) })
	})
	if len(lines) == 0 {
		return nil
	}
	return fmt.Errorf("HAProxy says %.300q", strings.Join(lines, " "))
}

// word writes a word of a command.
var word = strings.NewReplacer(`\`, `\\`, `;`, `\;`, ` `, `\ `)
