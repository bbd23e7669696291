package serve

import (
	"errors"
	"io"
	"log/slog"
	"path/filepath"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/gatewright/gatewright/generators"
	"github.com/gatewright/gatewright/runtime/calls"
	"github.com/gatewright/gatewright/runtime/proxies"
)

// callsFile has the address where the proxy tells its calls, in the state folder.
const callsFile = "calls"

// toldCalls are the calls that the proxy tells: they are counted, and written to the access log.
type toldCalls struct {
	receiver *calls.Receiver
	counter  *calls.Counter // nil when calls aren't counted
	writer   *calls.Writer  // nil without an access log
	log      *slog.Logger
}

// tellCalls has the proxy tell its calls where that is asked for; nil where it isn't.
func tellCalls(dir string, s *proxies.Serving, count bool, stderr io.Writer, r prometheus.Registerer, log *slog.Logger) (_ *toldCalls, err error) {
	written := s.LogsCalls()
	if !written && !count {
		return nil, nil
	}
	t := &toldCalls{log: log}
	if t.receiver, err = calls.Listen(filepath.Join(dir, callsFile), r, log); err != nil {
		return nil, err
	}
	if count {
		t.counter = calls.NewCounter(r)
	}
	if written {
		if t.writer, err = calls.NewWriter(generators.AccessTarget(s.AccessLog), s.AccessLogFormat, stderr, r, log); err != nil {
			return nil, errors.Join(err, t.receiver.Close())
		}
	}
	return t, nil
}

// accessLog is what the proxy's configuration says of it.
func (t *toldCalls) accessLog() *generators.AccessLog {
	if t == nil {
		return nil
	}
	return t.receiver.Log(t.writer == nil)
}

// run takes calls until close.
func (t *toldCalls) run() {
	if t == nil {
		return
	}
	err := t.receiver.Run(func(c *calls.Call) {
		if t.counter != nil {
			t.counter.Count(c)
		}
		if t.writer != nil {
			t.writer.Write(c)
		}
	})
	if err != nil {
		t.log.Error("calls are no longer counted, nor written to the access log", "error", err)
	}
}

func (t *toldCalls) close() error {
	if t == nil {
		return nil
	}
	err := t.receiver.Close()
	if t.writer != nil {
		err = errors.Join(err, t.writer.Close())
	}
	return err
}
