package follow

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"k8s.io/client-go/rest"

	"github.com/gatewright/gatewright/controller"
	"github.com/gatewright/gatewright/test/harness"
)

// text is what is logged.
type text struct {
	mu  sync.Mutex
	all bytes.Buffer
}

func (t *text) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.all.Write(p)
}

func (t *text) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.all.String()
}

// TestCluster: while the API server gives nothing, the service says why and what is remembered stays; a signal ends it.
func TestCluster(t *testing.T) {
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "etcd is away", http.StatusInternalServerError)
	}))
	defer api.Close()
	dir := t.TempDir()
	var log text
	e := newEngine(t, dir, slog.New(slog.NewTextHandler(&log, nil)))
	const broken = "{"
	memory := filepath.Join(e.Dir(), memoryFile)
	if err := os.WriteFile(memory, []byte(broken), 0o600); err != nil {
		t.Fatal(err)
	}
	signals, ended := make(chan os.Signal, 2), make(chan error, 1)
	go func() {
		ended <- Cluster(context.Background(), e, controller.Options{Config: &rest.Config{Host: api.URL}, Alone: true},
			func() (<-chan os.Signal, func()) { return signals, func() {} })
	}()
	client := http.Client{Transport: &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
		return net.Dial("unix", filepath.Join(dir, "service.sock"))
	}}}
	const why = "the API server can't be asked for the Namespace kube-system"
	for path, want := range map[string]string{
		"/readyz": "no configuration is confirmed yet: " + why, "/status": "# Nothing new is served yet: " + why,
		"/metrics": `gatewright_reads_total{result="error"}`,
	} {
		harness.Until(t, "say why at "+path, harness.DefaultTimeout, func() error {
			answer, err := client.Get("http://service" + path)
			if err != nil {
				return err
			}
			defer answer.Body.Close()
			body, err := io.ReadAll(answer.Body)
			if err == nil && !strings.Contains(string(body), want) {
				err = fmt.Errorf("no %q in\n%s", want, body)
			}
			return err
		}, log.String)
	}
	signals <- syscall.SIGHUP
	signals <- syscall.SIGTERM
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if err := e.Close(); err != nil {
		t.Error(err)
	}
	if got, err := os.ReadFile(memory); err != nil || string(got) != broken {
		t.Errorf("what was remembered is %q (%v) now", got, err)
	}
	if !strings.Contains(log.String(), "a cluster that was replaced meanwhile won't be noticed") {
		t.Errorf("nothing says that it remembers nothing:\n%s", log.String())
	}
}
