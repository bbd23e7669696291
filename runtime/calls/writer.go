package calls

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"log/syslog"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/gatewright/gatewright/generators"
)

// waiting is how many bytes of lines wait for a target that takes none; more are dropped and counted.
const waiting = 4 << 20

// Writer writes the access log, behind whoever counts: a target that stalls holds nothing up.
type Writer struct {
	format  generators.AccessFormat
	log     *slog.Logger
	dropped prometheus.Counter
	out     target

	lock   sync.Mutex
	more   *sync.Cond
	lines  []byte
	closed bool
	done   chan struct{}
}

// target takes whole lines.
type target interface {
	// write takes one line or several; their bytes are the caller's again when it returns.
	write([]byte) error
	io.Closer
}

// NewWriter returns a writer to a target in AccessText or AccessJSON; stderr is what AccessStderr means.
func NewWriter(to generators.AccessTarget, format generators.AccessFormat, stderr io.Writer, r prometheus.Registerer,
	log *slog.Logger) (*Writer, error) {
	out, err := open(to, stderr)
	if err != nil {
		return nil, fmt.Errorf("the access log: %w", err)
	}
	w := &Writer{format: format, log: log, out: out, done: make(chan struct{}),
		dropped: prometheus.NewCounter(prometheus.CounterOpts{Name: "gatewright_access_log_dropped_total",
			Help: "Lines that the access log lacks, because its target took none."})}
	w.more = sync.NewCond(&w.lock)
	r.MustRegister(w.dropped)
	go w.run()
	return w, nil
}

func open(to generators.AccessTarget, stderr io.Writer) (target, error) {
	if to == generators.AccessStderr {
		return &stream{stderr}, nil
	}
	ok, socket, address := to.Syslog()
	if !ok {
		f := &file{path: string(to)}
		return f, f.open()
	}
	network := "udp"
	if socket {
		network = "unixgram"
	}
	w, err := syslog.Dial(network, address, syslog.LOG_INFO|syslog.LOG_LOCAL0, "gatewright")
	if err != nil {
		return nil, err
	}
	return &server{w}, nil
}

// Write adds a call. It never waits.
func (w *Writer) Write(c *Call) {
	now := time.Now()
	w.lock.Lock()
	defer w.lock.Unlock()
	if len(w.lines) >= waiting || w.closed {
		w.dropped.Inc()
		return
	}
	w.lines = appendLine(w.lines, w.format, now, c)
	w.more.Signal()
}

func (w *Writer) run() {
	defer close(w.done)
	var lines []byte
	failed := ""
	for {
		w.lock.Lock()
		for len(w.lines) == 0 && !w.closed {
			w.more.Wait()
		}
		lines, w.lines = w.lines, lines[:0]
		over := w.closed
		w.lock.Unlock()
		if len(lines) > 0 {
			failed = w.put(lines, failed)
		}
		if over {
			return
		}
	}
}

// put writes lines, and logs once what is wrong, and that it is well again.
func (w *Writer) put(lines []byte, failed string) string {
	err := w.out.write(lines)
	switch {
	case err != nil:
		w.dropped.Add(float64(countLines(lines)))
		if err.Error() != failed {
			w.log.Error("the access log can't be written; calls go on", "error", err)
		}
		return err.Error()
	case failed != "":
		w.log.Info("the access log is written again")
	}
	return ""
}

func countLines(text []byte) (n int) {
	for _, c := range text {
		if c == '\n' {
			n++
		}
	}
	return n
}

// patience is how long a target may take for the last lines.
const patience = 2 * time.Second

// Close writes what is left, and ends.
func (w *Writer) Close() error {
	w.lock.Lock()
	w.closed = true
	w.more.Signal()
	w.lock.Unlock()
	select {
	case <-w.done:
		return w.out.Close()
	case <-time.After(patience):
		return errors.New("the access log takes no more lines; the last ones are lost")
	}
}

// appendLine adds a call's line.
func appendLine(b []byte, format generators.AccessFormat, now time.Time, c *Call) []byte {
	l := generators.AccessLog{Format: format}
	b = append(b, l.Line(func(field string) string {
		switch field {
		case "time":
			return now.UTC().Format("2006-01-02T15:04:05.000Z")
		case "status":
			return strconv.Itoa(c.Status)
		case "duration":
			return strconv.FormatFloat(c.Duration.Seconds(), 'f', 3, 64)
		case "received":
			return strconv.FormatInt(c.Received, 10)
		case "sent":
			return strconv.FormatInt(c.Sent, 10)
		}
		return escape(c.text(field))
	})...)
	return append(b, '\n')
}

// text is the text of a field.
func (c *Call) text(field string) string {
	switch field {
	case "client":
		return c.Client
	case "gateway":
		return c.Gateway
	case "method":
		return c.Method
	case "authority":
		return c.Authority
	case "path":
		return c.Path
	case "code":
		return c.Code
	case "rule":
		return c.Rule
	case "service":
		return c.Service
	case "endpoint":
		return c.Endpoint
	}
	return c.ID
}

// escape writes text as it stands in a string of JSON.
func escape(text string) string {
	for i := range len(text) {
		if c := text[i]; c < ' ' || c == '"' || c == '\\' || c >= 0x7f {
			quoted, _ := json.Marshal(text) // It never fails for a string.
			return string(quoted[1 : len(quoted)-1])
		}
	}
	return text
}

// stream is what is open already.
type stream struct{ io.Writer }

func (s *stream) write(b []byte) error {
	_, err := s.Write(b)
	return err
}

func (s *stream) Close() error { return nil }

// file is opened again when somebody has moved it away.
type file struct {
	path    string
	file    *os.File
	looked  time.Time
	present fs.FileInfo
}

func (f *file) open() (err error) {
	if f.file, err = os.OpenFile(f.path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o640); err != nil {
		return err
	}
	f.looked = time.Now()
	f.present, err = f.file.Stat()
	return err
}

// lookAgain is how often the file's path is looked at.
const lookAgain = time.Second

func (f *file) write(b []byte) error {
	if f.file == nil || time.Since(f.looked) >= lookAgain {
		if now, err := os.Stat(f.path); f.file == nil || err != nil || !os.SameFile(now, f.present) {
			if err := f.Close(); err != nil {
				return err
			}
			if err := f.open(); err != nil {
				return err
			}
		}
		f.looked = time.Now()
	}
	_, err := f.file.Write(b)
	return err
}

func (f *file) Close() error {
	if f.file == nil {
		return nil
	}
	err := f.file.Close()
	f.file = nil
	return err
}

// server is a syslog server, which gets a message for each line.
type server struct{ *syslog.Writer }

func (s *server) write(b []byte) error {
	for len(b) > 0 {
		end := 0
		for b[end] != '\n' {
			end++
		}
		if _, err := s.Write(b[:end]); err != nil {
			return err
		}
		b = b[end+1:]
	}
	return nil
}
