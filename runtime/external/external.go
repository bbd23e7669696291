package external

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/gatewright/gatewright/generators"
	"github.com/gatewright/gatewright/generators/exchange"
	"github.com/gatewright/gatewright/generators/model"
)

// The bounds of one run.
const (
	// Timeout is how long it may take.
	Timeout = 30 * time.Second
	// maxAnswer is how much it may write to stdout, and maxSaid how much of its stderr a message has: the end of it.
	maxAnswer = 64 << 20
	maxSaid   = 2 << 10
	// grace is how long a program that was ended may hold on to its output.
	grace = time.Second
)

// Generator is a program that generates files.
type Generator struct {
	// Context ends runs.
	Context context.Context
	// Path is the program, with a slash in it.
	Path string
	// Reserved are the files of the folder that the program may not write.
	Reserved []string

	timeout time.Duration
	answer  int
	// hung is the error of a run that took too long: one is enough, so that no search for the object to blame waits again and again.
	hung error
}

// Capabilities asks the program what its proxy can do.
func (g *Generator) Capabilities() (c model.Capabilities, err error) {
	request, err := exchange.Ask()
	if err != nil {
		return c, err
	}
	answer, err := g.run(request)
	if err != nil {
		return c, err
	}
	if c, err = exchange.Capabilities(answer); err != nil {
		return c, g.fault(err)
	}
	c.Origin = g.Path
	return c, nil
}

// Render asks the program for files.
func (g *Generator) Render(m model.Gateways, c model.Capabilities) ([]generators.File, error) {
	request, err := exchange.Encode(m, c)
	if err != nil {
		return nil, err
	}
	answer, err := g.run(request)
	if err != nil {
		return nil, err
	}
	files, err := exchange.Files(answer, m, g.Reserved...)
	if err != nil {
		return nil, g.fault(err)
	}
	return files, nil
}

func (g *Generator) fault(err error) error { return fmt.Errorf("generator %s: %w", g.Path, err) }

// run gives a request to the program and returns its answer.
func (g *Generator) run(request []byte) ([]byte, error) {
	if g.hung != nil {
		return nil, g.hung
	}
	timeout, most := g.timeout, g.answer
	if timeout == 0 {
		timeout, most = Timeout, maxAnswer
	}
	ctx, cancel := context.WithTimeout(g.Context, timeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, g.Path)
	out, said := &head{most: most, full: cancel}, &tail{}
	cmd.Stdin, cmd.Stdout, cmd.Stderr, cmd.WaitDelay = bytes.NewReader(request), out, said, grace
	cmd.Env = os.Environ()
	err := cmd.Run()
	switch {
	case out.over:
		err = fmt.Errorf("its answer has more than %d bytes", most)
	case g.Context.Err() != nil:
		err = g.Context.Err()
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		err = fmt.Errorf("it has not ended after %s", timeout)
	}
	if err == nil {
		return out.data, nil
	}
	if text := said.text(); text != "" {
		err = fmt.Errorf("%w: it says: %s", err, text)
	}
	if err = g.fault(err); ctx.Err() != nil && !out.over {
		g.hung = err
	}
	return nil, err
}

// head keeps what is written, up to a bound.
type head struct {
	data []byte
	most int
	over bool
	full func()
}

func (h *head) Write(p []byte) (int, error) {
	if len(h.data)+len(p) > h.most {
		h.over = true
		h.full()
		return 0, errors.New("too much")
	}
	h.data = append(h.data, p...)
	return len(p), nil
}

// tail keeps the end of what is written.
type tail struct{ data []byte }

func (t *tail) Write(p []byte) (int, error) {
	t.data = append(t.data, p...)
	if over := len(t.data) - maxSaid; over > 0 {
		t.data = append([]byte(nil), t.data[over:]...)
	}
	return len(p), nil
}

func (t *tail) text() string { return strings.ToValidUTF8(strings.TrimSpace(string(t.data)), "?") }
