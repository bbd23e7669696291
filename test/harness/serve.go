package harness

import (
	"context"
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/gatewright/gatewright/controller/resources"
	"github.com/gatewright/gatewright/controller/status"
	"github.com/gatewright/gatewright/controller/translate"
	"github.com/gatewright/gatewright/generators"
	"github.com/gatewright/gatewright/generators/model"
	"github.com/gatewright/gatewright/generators/relay"
	"github.com/gatewright/gatewright/runtime/folder"
)

// Controller is the controllerName that the tests serve under.
const Controller = "gatewright.io/gateway-controller"

// Options say what stands behind the Services. The zero value is one running endpoint for each port.
type Options struct {
	// Backends are servers to use again; nil starts new ones.
	Backends *Backends
	// Endpoints says for a Service, "namespace/name", which endpoints it has: true is one that runs, false
	// one that refuses connections. A Service that isn't named has one that runs.
	Endpoints map[string][]bool
	// HTTP has all backends speak HTTP beside gRPC, and not those of HTTPRoutes only.
	HTTP bool
	// Generator is what the generator is made with; the harness adds the marker.
	Generator generators.Options
	// CrossServing is what becomes of routes of both kinds that want the same hosts.
	CrossServing translate.CrossServing
}

// Served is a running proxy with everything around it.
type Served struct {
	Proxy    Proxy
	Backends *Backends
	Client   *Client
	HTTP     *HTTPClient
	Process  *Process
	// Bridge runs where what is served takes one.
	Bridge *Process
	// Dir is the rendered folder.
	Dir     string
	Model   model.Gateways
	Reports []status.Report

	t      T
	marker string
	// bridgeDir has the bridge's sockets; its configuration was written so many times, and calls itself what bridgeWants says.
	bridgeDir   string
	bridgeTimes int
	bridgeWants string
	addresses   map[string]string // Gateway → address
}

// Serve renders a snapshot for a proxy, with its Gateways moved to addresses of their own and servers behind
// its Services, starts the proxy, and returns when it answers. It stops with the test.
func Serve(t T, p Proxy, s *resources.Snapshot, o Options) *Served {
	t.Helper()
	served := &Served{Proxy: p, Backends: o.Backends, Client: NewClient(t), HTTP: NewHTTPClient(t), t: t, addresses: map[string]string{}}
	if served.Backends == nil {
		served.Backends = NewBackends(t)
	}
	dir := TempDir(t)
	served.Dir, served.marker = filepath.Join(dir, "out"), filepath.Join(dir, "marker.sock")
	served.bridgeDir = TempDir(t)
	served.write(s, o)
	served.Process = Start(t, p.Binary, p.Run(served.Dir)...)
	served.wait()
	return served
}

// Reload renders another snapshot to the same folder and makes the running proxy take it. Gateways keep their
// addresses.
func (s *Served) Reload(snapshot *resources.Snapshot, o Options) {
	s.t.Helper()
	s.write(snapshot, o)
	s.Proxy.Reload(s.Process)
	s.wait()
}

func (s *Served) write(snapshot *resources.Snapshot, o Options) {
	s.t.Helper()
	moved := s.move(snapshot, o)
	result := translate.Translate(moved, s.Proxy.Capabilities,
		translate.Options{Controller: Controller, Backends: translate.BackendsEndpoints, CrossServing: o.CrossServing})
	s.Model, s.Reports = result.Gateways, result.Reports()
	options := o.Generator
	options.Marker = s.marker
	options.Bridge = filepath.Join(s.bridgeDir, bridgeSocketName)
	files, err := s.Proxy.Generator(options).Render(s.Model, s.Proxy.Capabilities)
	if err != nil {
		s.t.Fatalf("render for %s: %v", s.Proxy, err)
	}
	config, err := s.bridgeFile()
	if err != nil {
		s.t.Fatalf("what the bridge does: %v", err)
	}
	if _, err := folder.Write(s.Dir, append(files, config)); err != nil {
		s.t.Fatalf("write what was rendered for %s: %v", s.Proxy, err)
	}
	if len(relay.Of(s.Model, "").Actions) > 0 {
		s.StartBridge()
	}
}

// wait returns when the generation that was written last answers, at every listener.
func (s *Served) wait() {
	s.t.Helper()
	s.Process.WaitAnswer(s.marker, "/generation", s.Proxy.Generation(s.t, s.Dir))
	for _, g := range s.Model.Gateways {
		for _, l := range g.Listeners {
			s.Process.WaitListening(net.JoinHostPort(g.Addresses[0], strconv.Itoa(int(l.Port))))
		}
	}
}

// Check runs the proxy's own check over the rendered folder and returns what it said.
func (s *Served) Check() (string, error) {
	out, err := exec.CommandContext(context.Background(), s.Proxy.Binary, s.Proxy.Check(s.Dir)...).CombinedOutput()
	return string(out), err
}

// Call returns a call to a listener, "gateway/listener"; the Gateway's namespace before it when that is not
// "default". A listener that isn't served fails the test.
func (s *Served) Call(listener string) Call {
	s.t.Helper()
	var have []string
	for _, g := range s.Model.Gateways {
		for _, l := range g.Listeners {
			name := strings.TrimPrefix(g.Namespace+"/", "default/") + g.Name + "/" + l.Name
			if name == listener {
				return Call{
					Address: net.JoinHostPort(g.Addresses[0], strconv.Itoa(int(l.Port))),
					TLS:     l.Protocol == model.HTTPS,
				}
			}
			have = append(have, name)
		}
	}
	s.t.Fatalf("no listener %s is served; there are %v", listener, have)
	return Call{}
}

// Request returns a request to a listener, which is named as for Call, in HTTP/1.1.
func (s *Served) Request(listener, host, target string) HTTPRequest {
	s.t.Helper()
	c := s.Call(listener)
	return HTTPRequest{Address: c.Address, TLS: c.TLS, Host: host, Target: target}
}

// Versions says which versions of HTTP a request may use: nginx up to 1.25.0 speaks one of them in cleartext, by the kind of
// the port's routes.
func (s *Served) Versions(address string) (http1, http2 bool) {
	if s.Proxy.Capabilities.Has(model.FeatureHTTP1Shared) {
		return true, true
	}
	for _, g := range s.Model.Gateways {
		for _, l := range g.Listeners {
			if net.JoinHostPort(g.Addresses[0], strconv.Itoa(int(l.Port))) != address {
				continue
			}
			if l.Protocol == model.HTTPS {
				return true, true
			}
			http1 = http1 || slices.ContainsFunc(l.Scopes, func(s model.Scope) bool { return s.Kind() == model.HTTPRoute })
		}
	}
	return http1, !http1
}

// Address is where a Gateway, "namespace/name", was moved to.
func (s *Served) Address(gateway string) string { return s.addresses[gateway] }

// Conditions are all conditions in the status of an object, "namespace/name": of all listeners, parents and ancestors too.
func (s *Served) Conditions(kind, name string) []metav1.Condition {
	var all []metav1.Condition
	for _, r := range s.Reports {
		if r.Kind != kind || strings.TrimPrefix(r.Namespace+"/", "/")+r.Name != name {
			continue
		}
		switch {
		case r.GatewayClass != nil:
			all = append(all, r.GatewayClass.Conditions...)
		case r.Gateway != nil:
			all = append(all, r.Gateway.Conditions...)
			for _, l := range r.Gateway.Listeners {
				all = append(all, l.Conditions...)
			}
		case r.ListenerSet != nil:
			all = append(all, r.ListenerSet.Conditions...)
			for _, l := range r.ListenerSet.Listeners {
				all = append(all, l.Conditions...)
			}
		case r.Route != nil:
			for _, p := range r.Route.Parents {
				all = append(all, p.Conditions...)
			}
		case r.Policy != nil:
			for _, a := range r.Policy.Ancestors {
				all = append(all, a.Conditions...)
			}
		}
	}
	return all
}

// Condition is the first condition of a type with the reason, or nil.
func (s *Served) Condition(kind, name, conditionType, reason string) *metav1.Condition {
	all := s.Conditions(kind, name)
	i := slices.IndexFunc(all, func(c metav1.Condition) bool { return c.Type == conditionType && c.Reason == reason })
	if i < 0 {
		return nil
	}
	return &all[i]
}

// String names what is served, for messages.
func (s *Served) String() string { return fmt.Sprintf("%s in %s", s.Proxy, s.Dir) }
