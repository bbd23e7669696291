package e2e

import (
	"encoding/json"
	"net"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"

	"github.com/gatewright/gatewright/generators"
	"github.com/gatewright/gatewright/test/harness"
)

const loggedRoutes = `apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: gw}
spec:
  gatewayClassName: test
  listeners: [{name: http, port: 8080, protocol: HTTP}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: GRPCRoute
metadata: {name: r}
spec:
  parentRefs: [{name: gw}]
  rules:
  - name: served
    matches: [{method: {service: a.Served}}]
    backendRefs: [{name: s, port: 50051}]
  - matches: [{method: {service: a.Empty}}]
    backendRefs: [{name: missing, port: 50051}]
`

// TestAccessLog: a proxy that nobody stands beside tells a syslog server of its calls, whatever clients write.
func TestAccessLog(t *testing.T) {
	for _, p := range harness.Proxies(t) {
		for _, format := range []generators.AccessFormat{generators.AccessJSON, generators.AccessText} {
			t.Run(p.String()+" "+string(format), func(t *testing.T) {
				t.Parallel()
				socket, err := net.ListenPacket("udp", "127.0.0.1:0")
				if err != nil {
					t.Fatal(err)
				}
				defer func() { _ = socket.Close() }()
				s := harness.Serve(t, p, harness.Load(t, "", loggedRoutes+"---\n"+harness.Service("default", "s", 50051)), harness.Options{
					Generator: generators.Options{AccessLog: &generators.AccessLog{Format: format,
						Target: generators.AccessSyslog + generators.AccessTarget(socket.LocalAddr().String())}}})
				call := s.Call("gw/http")
				call.Authority, call.Metadata = "h.test", metadata.MD{"x-request-id": {`me", "code": "forged`}}
				for path, want := range map[string]struct {
					code   codes.Code
					fields map[string]any
				}{
					"/a.Served/M": {codes.OK, map[string]any{"rule": "GRPCRoute default/r rule 0 (served)", "service": "Service default/s port 50051",
						"status": 200.0, "authority": "h.test", "gateway": "default/gw", "method": "POST", "id": `me", "code": "forged`}},
					"/a.Empty/M": {codes.Unavailable, map[string]any{"rule": "GRPCRoute default/r rule 1", "code": "14", "authority": "h.test"}},
					"/a.None/M":  {codes.Unimplemented, map[string]any{"code": "12", "gateway": "default/gw"}},
				} {
					call.Path = path
					if r := s.Client.Do(call); r.Code != want.code {
						t.Errorf("%s: %s: %s", path, r.Code, r.Message)
					}
					want.fields["path"] = path
					checkLine(t, lineFrom(t, socket), format, want.fields)
				}
			})
		}
	}
}

// lineFrom is the next line, without what syslog writes before it.
func lineFrom(t *testing.T, socket net.PacketConn) string {
	t.Helper()
	text := make([]byte, 1<<16)
	if err := socket.SetReadDeadline(time.Now().Add(harness.DefaultTimeout)); err != nil {
		t.Fatal(err)
	}
	n, _, err := socket.ReadFrom(text)
	if err != nil {
		t.Fatalf("no line comes: %v", err)
	}
	_, line, ok := strings.Cut(string(text[:n]), "]: ")
	if !ok {
		_, line, ok = strings.Cut(string(text[:n]), "gatewright: ")
	}
	if !ok {
		t.Fatalf("%q isn't syslog", text[:n])
	}
	return strings.TrimSuffix(line, "\n")
}

func checkLine(t *testing.T, line string, format generators.AccessFormat, want map[string]any) {
	t.Helper()
	if format == generators.AccessText {
		for _, field := range []string{"path", "rule"} {
			if text, ok := want[field].(string); ok && !strings.Contains(line, `"`+text+`"`) {
				t.Errorf("%s: no %s %q", line, field, text)
			}
		}
		if strings.Contains(line, `"code": "forged`) {
			t.Errorf("%s: a client has written a field", line)
		}
		return
	}
	var got map[string]any
	if err := json.Unmarshal([]byte(line), &got); err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	for field, value := range want {
		if got[field] != value {
			t.Errorf("%s: %s is %v, want %v", line, field, got[field], value)
		}
	}
}
