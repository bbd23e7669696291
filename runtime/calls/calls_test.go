package calls

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/gatewright/gatewright/generators"
)

var tests = parser{[]byte("0123456789abcdef")}

func TestParse(t *testing.T) {
	const grpc = "ns/gw\tGRPCRoute ns/r rule 0 (canary)\tService ns/s port 80\t"
	for line, want := range map[string]Call{
		"<190>Dec  1 06:00:00 gatewright: 0123456789abcdef\t" + grpc + "5\t200\t0.012\tPOST\t/a.B/C": {Gateway: "ns/gw",
			Rule: "GRPCRoute ns/r rule 0 (canary)", Service: "Service ns/s port 80", Code: "NOT_FOUND", Status: 200,
			Duration: 12 * time.Millisecond, Method: "POST", Path: "/a.B/C"},
		"0123456789abcdef\t" + grpc + "-\t200\t12\tPOST\t/a.B/C\t::1\t10.0.0.1:80:only:again\t5\t6\th.test\t\\\"one\\u000a\n": {Gateway: "ns/gw",
			Rule: "GRPCRoute ns/r rule 0 (canary)", Service: "Service ns/s port 80", Code: "-", Status: 200, Duration: 12 * time.Millisecond,
			Method: "POST", Path: "/a.B/C", Client: "::1", Endpoint: "10.0.0.1:80", Received: 5, Sent: 6, Authority: "h.test", ID: "\"one\n"},
		"0123456789abcdef\t" + grpc + "\t499\t1.0\tPOST\t/a.B/C": {Gateway: "ns/gw", Rule: "GRPCRoute ns/r rule 0 (canary)",
			Service: "Service ns/s port 80", Code: "CANCELLED", Status: 499, Duration: time.Second, Method: "POST", Path: "/a.B/C"},
		"0123456789abcdef\tns/gw\t-\t-\t-\t400\t-1\t<BADREQ>\t-": {Gateway: "ns/gw", Status: 400, Method: "<BADREQ>"},
	} {
		if got, ok := tests.parse([]byte(line)); !ok || got != want {
			t.Errorf("%q: %+v, %t", line, got, ok)
		}
	}
	for _, line := range []string{"", "<", "<190>gatewright", "fedcba9876543210\t" + grpc + "5\t200\t1\tPOST\t/", "0123456789abcdef", "0123456789abcdef\t1\t2",
		"0123456789abcdefg\t" + grpc + "5\t200\t1\tPOST\t/"} {
		if got, ok := tests.parse([]byte(line)); ok {
			t.Errorf("%q: %+v", line, got)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("ns/gw\tGRPCRoute ns/r rule 0\tService ns/s port 80\t5\t200\t0.012\tPOST\t/a.B/C\tc\te\t1\t2\th\tid")
	f.Add("\t\t\t\t\t9999999999999.9\t\t")
	f.Add("\t\t\t999999999999\t\\u00\t1e999\t\t\t\\\\\t, \t-\t\t\t")
	f.Fuzz(func(t *testing.T, text string) {
		c, ok := tests.parse([]byte("0123456789abcdef\t" + text))
		if !ok {
			return
		}
		if c.Duration < 0 {
			t.Errorf("%s", c.Duration)
		}
		line := appendLine(nil, generators.AccessJSON, time.Now(), &c)
		if !json.Valid(line) || bytes.Count(line, []byte("\n")) != 1 {
			t.Errorf("%q", line)
		}
		line = appendLine(nil, generators.AccessText, time.Now(), &c)
		if bytes.ContainsFunc(line[:len(line)-1], func(r rune) bool { return r < ' ' }) {
			t.Errorf("%q", line)
		}
	})
}

// labels is how many combinations of labels calls have.
func labels(t *testing.T, r *prometheus.Registry) int {
	t.Helper()
	metrics, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range metrics {
		if m.GetName() == "gatewright_calls_total" {
			return len(m.GetMetric())
		}
	}
	return 0
}

// TestMethods: a client that makes methods up makes no labels.
func TestMethods(t *testing.T) {
	registry := prometheus.NewRegistry()
	c := NewCounter(registry)
	call := Call{Gateway: "ns/gw", Rule: "GRPCRoute ns/r rule 0", Service: "Service ns/s port 80", Status: 200, Code: "OK"}
	for i := range 2 * maxMethods {
		call.Path = fmt.Sprintf("/a.B/M%d", i)
		c.Count(&call)
	}
	for _, path := range []string{"/a.B/" + strings.Repeat("x", maxName), "/a b/c", "/a.B", "/a.B/C/D", "//", ""} {
		call.Path = path
		c.Count(&call)
	}
	if n := labels(t, registry); n != maxMethods+1 {
		t.Errorf("%d labels", n)
	}
	c = NewCounter(prometheus.NewRegistry())
	call.Path, call.Code = "/a.B/Unknown", "UNIMPLEMENTED"
	c.Count(&call)
	if len(c.methods) > 0 {
		t.Errorf("%v", c.methods)
	}
}

// TestSeries: no more labels than there is room for, whatever comes and goes.
func TestSeries(t *testing.T) {
	registry := prometheus.NewRegistry()
	c := NewCounter(registry)
	for i := range maxSeries + 100 {
		c.Count(&Call{Gateway: "ns/gw", Rule: fmt.Sprintf("HTTPRoute ns/r%d rule 0", i), Status: 200, Method: "GET"})
	}
	if n := labels(t, registry); n != maxSeries+1 {
		t.Errorf("%d labels", n)
	}
}

// TestReceiver: a proxy that an earlier run has left is heard at its address; lines of others aren't taken.
func TestReceiver(t *testing.T) {
	file := filepath.Join(t.TempDir(), "calls")
	log := slog.New(slog.DiscardHandler)
	first, err := Listen(file, prometheus.NewRegistry(), log)
	if err != nil {
		t.Fatal(err)
	}
	told := first.Log(true)
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	second, err := Listen(file, prometheus.NewRegistry(), log)
	if err != nil {
		t.Fatal(err)
	}
	if again := second.Log(true); *again != *told {
		t.Errorf("%+v, before %+v", again, told)
	}
	heard, ended := make(chan Call, 1), make(chan error, 1)
	go func() { ended <- second.Run(func(c *Call) { heard <- *c }) }()
	_, _, address := told.Target.Syslog()
	proxy, err := net.Dial("udp", address)
	if err != nil {
		t.Fatal(err)
	}
	for _, token := range []string{"forged", told.Token} {
		if _, err := proxy.Write([]byte(token + "\tns/gw\tHTTPRoute ns/r rule 0\t\t\t200\t1\tGET\t/" + token)); err != nil {
			t.Fatal(err)
		}
	}
	if c := <-heard; c.Path != "/"+told.Token {
		t.Errorf("%+v", c)
	}
	taken, err := Listen(filepath.Join(filepath.Dir(file), "calls"), prometheus.NewRegistry(), log)
	if err != nil {
		t.Fatal(err)
	}
	if other := taken.Log(true); other.Target == told.Target || other.Token == told.Token {
		t.Errorf("%+v is somebody else's", other)
	}
	for _, end := range []io.Closer{taken, second, proxy} {
		if err := end.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// TestStalledTarget: a pipe that nobody reads holds nothing up; the lines that it lacks are counted.
func TestStalledTarget(t *testing.T) {
	r, pipe, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	registry := prometheus.NewRegistry()
	w, err := NewWriter(generators.AccessStderr, generators.AccessText, pipe, registry, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	call := Call{Path: strings.Repeat("x", 1000)}
	const n = 20_000
	for range n {
		w.Write(&call)
	}
	metrics, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	dropped := int(metrics[0].GetMetric()[0].GetCounter().GetValue())
	if dropped == 0 || dropped == n {
		t.Fatalf("%d of %d lines are dropped", dropped, n)
	}
	read := make(chan int, 1)
	go func() {
		text, _ := io.ReadAll(r)
		read <- bytes.Count(text, []byte("\n"))
	}()
	if err := errors.Join(w.Close(), pipe.Close()); err != nil {
		t.Fatal(err)
	}
	if got := <-read; got != n-dropped {
		t.Errorf("%d lines are there, and %d dropped of %d", got, dropped, n)
	}
}

func BenchmarkCount(b *testing.B) {
	c := NewCounter(prometheus.NewRegistry())
	line := []byte("<190>Dec  1 06:00:00 gatewright: 0123456789abcdef\tns/gw\tGRPCRoute ns/r rule 0\tService ns/s port 80\t0\t200\t0.012\tPOST\t/a.B/C")
	b.ReportAllocs()
	for b.Loop() {
		call, _ := tests.parse(line)
		c.Count(&call)
	}
}
