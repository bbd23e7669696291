package marker_test

import (
	"context"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gatewright/gatewright/generators"
	"github.com/gatewright/gatewright/runtime/marker"
)

func TestAsk(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "marker")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	code := http.StatusOK
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/generation" {
			t.Errorf("it asks for %s", r.URL.Path)
		}
		w.WriteHeader(code)
		if _, err := w.Write([]byte("abc\n")); err != nil {
			t.Error(err)
		}
	})}
	done := make(chan error, 1)
	go func() { done <- server.Serve(l) }()
	if got, err := marker.Ask(context.Background(), "nginx", socket); got != "abc" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	code = http.StatusBadGateway
	if _, err := marker.Ask(context.Background(), "nginx", socket); err == nil || err.Error() != "nginx doesn't tell its generation: 502 Bad Gateway" {
		t.Error(err)
	}
	if err := server.Close(); err != nil {
		t.Error(err)
	}
	<-done
	for _, socket := range []string{socket, ""} {
		if _, err := marker.Ask(context.Background(), "HAProxy", socket); err == nil || !strings.HasPrefix(err.Error(), "HAProxy ") {
			t.Errorf("%q: %v", socket, err)
		}
	}
}

func TestIn(t *testing.T) {
	for name, c := range map[string]struct{ path, text, want, problem string }{
		"first":      {"http.conf", "# Generation abc\nrest\n", "abc", ""},
		"with more":  {"http.conf", "# Written\n\n# Generation abc, and more\n", "abc", ""},
		"too late":   {"http.conf", "rest\n# Generation abc\n", "", `http.conf doesn't begin with a line "# Generation …": the template http.conf.tmpl must have it`},
		"other file": {"nginx.conf", "# Generation abc\n", "", "http.conf doesn't begin"},
	} {
		got, err := marker.In([]generators.File{{Path: c.path, Data: []byte(c.text)}}, "http.conf")
		if got != c.want || (err != nil) != (c.problem != "") || err != nil && !strings.HasPrefix(err.Error(), c.problem) {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}
