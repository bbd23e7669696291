package others

import (
	"bufio"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	_ "google.golang.org/grpc/encoding/gzip" // Its server reads and writes what is compressed.
	"google.golang.org/grpc/metadata"

	"github.com/gatewright/gatewright/test/harness"
)

// coreClient is a client on the C core, a program that is told what to do line by line.
type coreClient struct {
	t   *testing.T
	in  io.Writer
	out *bufio.Scanner
}

// order is one line for it; client.py reads it.
type order struct {
	Op       string      `json:"op"`
	Name     string      `json:"name,omitempty"`
	Host     string      `json:"host,omitempty"`
	Path     string      `json:"path,omitempty"`
	Metadata [][2]string `json:"metadata,omitempty"`
	Text     string      `json:"text"`
	Times    int         `json:"times,omitempty"`
	Gzip     bool        `json:"gzip,omitempty"`
	Timeout  float64     `json:"timeout,omitempty"`
	Callers  int         `json:"callers,omitempty"`
}

// told is what it answers.
type told struct {
	// Code is nil while a call goes on.
	Code              *int
	Details           string
	Size              int
	Sum, Text         string
	Headers, Trailers [][2]string
	Took              float64
	Good              int
	Failed            []string
}

func (r told) is(code int) bool { return r.Code != nil && *r.Code == code }

// echo is what a backend of either implementation said.
func (r told) echo() (e harness.Echo) {
	_ = json.Unmarshal([]byte(r.Text), &e) // What is no Echo has no backend.
	return e
}

func (r told) String() string {
	text, _ := json.Marshal(r) // There is nothing in it that JSON doesn't have.
	if len(text) > 500 {
		text = text[:500]
	}
	return string(text)
}

// startCore starts a client to an address, which ends with the test.
func startCore(t *testing.T, python, address string) *coreClient {
	t.Helper()
	cmd := exec.Command(python, "testdata/client.py", address)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		// Calls that are left are nobody's any more.
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	scanner := bufio.NewScanner(out)
	scanner.Buffer(nil, 1<<20)
	return &coreClient{t: t, in: in, out: scanner}
}

// tell has the client do something.
func (c *coreClient) tell(o order) told {
	c.t.Helper()
	line, err := json.Marshal(o)
	if err == nil {
		_, err = c.in.Write(append(line, '\n'))
	}
	var r told
	if err == nil && !c.out.Scan() {
		err = io.ErrUnexpectedEOF
	}
	if err == nil {
		err = json.Unmarshal(c.out.Bytes(), &r)
	}
	if err != nil {
		c.t.Fatalf("the client on the C core, %+v: %v", o, err)
	}
	return r
}

// startServers starts servers on the C core, names and addresses in turn, which say in the log what comes to them.
func startServers(t *testing.T, python string, servers ...string) *harness.Process {
	t.Helper()
	program, err := filepath.Abs("testdata/server.py")
	if err != nil {
		t.Fatal(err)
	}
	p := harness.Start(t, python, append([]string{program}, servers...)...)
	for i := 1; i < len(servers); i += 2 {
		p.WaitListening(servers[i])
	}
	return p
}

// quick is the longest that anything may take which is to end at once, and slack how much less than its time a call may have had.
const (
	quick = 5 * time.Second
	slack = 20 * time.Millisecond
)

// goInFront has clients of grpc-go call servers on the C core.
func goInFront(t *testing.T, w *coreWorld) {
	c := w.served.Call("gw/http")
	c.Authority, c.Path = "core.example.com", "/acme.v1.Long/Get"
	for _, size := range []int{0, 100_000, 5 << 20} {
		c.Metadata, c.Message = metadata.Pairs(harness.AskMode, harness.ModeSame), []byte(strings.Repeat("x", size))
		if got := w.served.Client.Do(c); got.Code != codes.OK || string(got.Body) != string(c.Message) {
			t.Errorf("%d bytes: %s %s, %d bytes", size, got.Code, got.Message, len(got.Body))
		}
	}
	c.Message = []byte("m")
	c.Metadata = metadata.Pairs(harness.AskHeader, "x-h-bin=head", harness.AskTrailer, "x-t-bin=tail", "x-in-bin", "\x01\x02")
	got := w.served.Client.Do(c)
	if got.Backend() != "core" || !reflect.DeepEqual(got.Headers["x-h-bin"], []string{"head"}) ||
		!reflect.DeepEqual(got.Trailers["x-t-bin"], []string{"tail"}) || !reflect.DeepEqual(got.Echo.Metadata["x-in-bin"], []string{"\x01\x02"}) {
		t.Errorf("metadata: %s %s, %v, %v, %v", got.Backend(), got.Message, got.Headers, got.Trailers, got.Echo.Metadata)
	}
	c.Metadata = metadata.Pairs(harness.AskStatus, "9:not now")
	if got := w.served.Client.Do(c); got.Code != codes.FailedPrecondition || got.Message != "not now" {
		t.Errorf("a status: %s %s", got.Code, got.Message)
	}
}
