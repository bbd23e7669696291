package pods

import (
	"bytes"
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/gatewright/gatewright/test/harness"
)

// logPort is where the kubelet tells logs at the node's address.
const logPort = 10250

// keptLines is how many lines of a Pod's log are kept.
const keptLines = 50000

// podLog is what a Pod has said, with the time of each line.
type podLog struct {
	mu    sync.Mutex
	lines []logLine
	open  []byte // the line that isn't ended
}

type logLine struct {
	at   time.Time
	text string
}

// Write adds what was said.
func (l *podLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.open = append(l.open, p...)
	for {
		line, rest, found := bytes.Cut(l.open, []byte("\n"))
		if !found {
			return len(p), nil
		}
		l.lines = append(l.lines, logLine{time.Now(), string(line)})
		l.open = rest
		if len(l.lines) > keptLines {
			l.lines = append([]logLine(nil), l.lines[keptLines/2:]...)
		}
	}
}

// since is what was said from a time on.
func (l *podLog) since(t time.Time) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var b strings.Builder
	for _, line := range l.lines {
		if !line.at.Before(t) {
			b.WriteString(line.text + "\n")
		}
	}
	return b.String()
}

// serveLogs answers the API server's questions for logs, as a kubelet does, until ctx ends.
func (k *kubelet) serveLogs(ctx context.Context) error {
	node := k.network.node().String()
	certificate := harness.Certificate(k.t, node)
	pair, err := tls.X509KeyPair(certificate.Certificate, certificate.Key)
	if err != nil {
		return err
	}
	l, err := tls.Listen("tcp", net.JoinHostPort(node, strconv.Itoa(logPort)), &tls.Config{Certificates: []tls.Certificate{pair}})
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /containerLogs/{namespace}/{pod}/{container}", func(w http.ResponseWriter, r *http.Request) {
		log := k.logOf(r.PathValue("namespace"), r.PathValue("pod"))
		if log == nil {
			http.Error(w, "no such Pod runs", http.StatusNotFound)
			return
		}
		since, _ := time.Parse(time.RFC3339, r.URL.Query().Get("sinceTime")) // Without one it is everything.
		_, _ = w.Write([]byte(log.since(since)))                             // Who asks has gone when it fails.
	})
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	k.all.Go(func() { _ = server.Serve(l) }) // It ends with Close.
	context.AfterFunc(ctx, func() { _ = server.Close() })
	return nil
}

// logOf is the log of a Pod that runs; nil for another.
func (k *kubelet) logOf(namespace, name string) *podLog {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, p := range k.running {
		if p.object.Namespace == namespace && p.object.Name == name {
			return &p.log
		}
	}
	return nil
}
