package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/grpc/metadata"

	"github.com/gatewright/gatewright/test/harness"
)

// eachProxy runs a test with every proxy that is installed.
func eachProxy(t *testing.T, test func(*testing.T, harness.Proxy)) {
	for _, p := range harness.Proxies(t) {
		t.Run(p.String(), func(t *testing.T) {
			t.Parallel()
			test(t, p)
		})
	}
}

// read returns a manifest of testdata.
func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// services are manifests of Services with the gRPC port that the examples use. A name may have a namespace
// before it.
func services(names ...string) string {
	var texts []string
	for _, name := range names {
		namespace, bare, found := strings.Cut(name, "/")
		if !found {
			namespace, bare = "default", name
		}
		texts = append(texts, harness.Service(namespace, bare, 50051))
	}
	return strings.Join(texts, "---\n")
}

// call is one row of a table: what to ask for, and who is to answer: a Service, or the name of a code.
type call struct {
	// listener is "gateway/listener".
	listener  string
	authority string
	path      string
	// headers are "name: value".
	headers []string
	// sni is the server name where it isn't the authority's host.
	sni  string
	want string
}

// at makes the harness's call of a row.
func (c call) at(t *testing.T, s *harness.Served) harness.Call {
	t.Helper()
	h := s.Call(c.listener)
	h.Authority, h.Path, h.SNI, h.Metadata = c.authority, c.path, c.sni, metadata.MD{}
	for _, line := range c.headers {
		name, value, _ := strings.Cut(line, ": ")
		h.Metadata.Append(name, value)
	}
	return h
}

func (c call) String() string {
	return strings.Join(append([]string{c.authority + c.path}, c.headers...), " ")
}

// check makes the calls of a table.
func check(t *testing.T, s *harness.Served, calls []call) {
	t.Helper()
	for _, c := range calls {
		if got := s.Client.Do(c.at(t, s)); got.Backend() != c.want {
			t.Errorf("%v: %s answers (%q), want %s", c, got.Backend(), got.Message, c.want)
		}
	}
}

// wantCondition fails unless the object has a condition of the type with the reason, whose message has the text.
func wantCondition(t *testing.T, s *harness.Served, kind, name, conditionType, reason, text string) {
	t.Helper()
	c := s.Condition(kind, name, conditionType, reason)
	if c == nil {
		t.Errorf("%s %s has no condition %s with reason %s, but %+v", kind, name, conditionType, reason, s.Conditions(kind, name))
		return
	}
	if !strings.Contains(c.Message, text) {
		t.Errorf("%s %s: %s %s says %q, want %q in it", kind, name, conditionType, reason, c.Message, text)
	}
}
