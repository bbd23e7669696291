package e2e

import (
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"

	"github.com/gatewright/gatewright/test/harness"
)

const trailedRoutes = `apiVersion: gatewright.io/v1alpha1
kind: GRPCTimeoutPolicy
metadata: {name: long}
spec: {timeout: 1m}
---
apiVersion: gateway.networking.k8s.io/v1
kind: GRPCRoute
metadata: {name: trailed}
spec:
  parentRefs: [{name: gw}]
  rules:
  - matches: [{method: {service: acme.v1.Plain}}]
    backendRefs: [{name: main, port: 50051}]
  - matches: [{method: {service: acme.v1.Bridged}}]
    filters: [{type: ExtensionRef, extensionRef: {group: gatewright.io, kind: GRPCTimeoutPolicy, name: long}}]
    backendRefs: [{name: main, port: 50051}]
`

// TestRequestTrailers: a client that sends trailers, which gRPC has none of in requests, ends no call of another one. grpc-go's servers end
// a connection for them.
func TestRequestTrailers(t *testing.T) {
	manifests := strings.Join([]string{read(t, "gateway.yaml"), trailedRoutes, services("main")}, "---\n")
	eachProxy(t, func(t *testing.T, p harness.Proxy) {
		s := harness.Serve(t, p, harness.Load(t, "", manifests), harness.Options{})
		for _, service := range []string{"Plain", "Bridged"} {
			c := call{listener: "gw/http", authority: "grpc.example.com", path: "/acme.v1." + service + "/Get"}.at(t, s)
			c.Metadata = metadata.Pairs(harness.AskMode, harness.ModeSame)
			// Proxies share connections to endpoints between clients from the second call on.
			for range 3 {
				if r := s.Client.Do(c); r.Code != codes.OK {
					t.Fatalf("%s: %s %s", service, r.Code, r.Message)
				}
			}
			open, err := s.Client.Stream(c)
			if err != nil {
				t.Fatal(err)
			}
			defer open.Close()
			turn := func(when string) {
				t.Helper()
				err := open.Send([]byte("m"))
				if err == nil {
					_, err = open.Receive()
				}
				if err != nil {
					t.Errorf("%s: another client's stream %s: %v", service, when, err)
				}
			}
			turn("before")
			for range 5 {
				raw := harness.DialRaw(t, c.Address)
				for range 2 {
					if r := raw.Call(harness.RawRequest(c.Authority, c.Path), []byte("m")); r.Status() != "0" {
						t.Errorf("%s: %v", service, r)
					}
				}
				stream := raw.Open(harness.RawRequest(c.Authority, c.Path), false)
				raw.Data(stream, false, harness.Message([]byte("m")))
				raw.Trailers(stream, harness.Fields{"x-end", "1"})
				raw.Wait(stream) // How that ends is the client's own affair.
				raw.Close()
			}
			turn("behind trailers")
		}
	})
}
