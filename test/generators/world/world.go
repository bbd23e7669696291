package world

import (
	"strings"
	"testing"

	"google.golang.org/grpc/metadata"

	"github.com/gatewright/gatewright/generators/model"
	"github.com/gatewright/gatewright/generators/pattern"
	"github.com/gatewright/gatewright/test/harness"
)

// World is a model under construction, with servers behind it. The zero value has no servers: it is for models that are
// only rendered.
type World struct {
	Model model.Gateways
	// Address is where its Gateway listens.
	Address string
	// Rules is how many rules there are.
	Rules int

	t        testing.TB
	backends *harness.Backends
}

// New is a world with one Gateway.
func New(t testing.TB) *World {
	t.Helper()
	w := &World{t: t, backends: harness.NewBackends(t), Address: harness.Address(t)}
	w.Model.Gateways = []model.Gateway{{Namespace: "ns", Name: "gw", Addresses: []string{w.Address}}}
	return w
}

// Listener adds a listener.
func (w *World) Listener(l model.Listener) {
	g := &w.Model.Gateways[0]
	g.Listeners = append(g.Listeners, l)
}

// Serve adds a listener for calls without TLS on port 8080.
func (w *World) Serve(scopes ...model.Scope) {
	w.Listener(model.Listener{Name: "l", Port: 8080, Protocol: model.HTTP, Scopes: scopes})
}

// Cluster adds a Service with as many endpoints as given.
func (w *World) Cluster(name string, endpoints int) {
	c := model.Cluster{Name: "ns/" + name + ":80", Namespace: "ns", Service: name, Port: 80}
	for i := range endpoints {
		a := w.backends.Address(name, i)
		w.backends.Listen("ns/"+name+":80", a, 8080)
		c.Endpoints = append(c.Endpoints, model.Endpoint{Address: a, Port: 8080})
	}
	w.Model.Clusters = append(w.Model.Clusters, c)
}

// Refusing adds a Service of that name with an endpoint that refuses connections, and others.
func (w *World) Refusing(name string, others ...model.Endpoint) {
	refuses := model.Endpoint{Address: harness.Address(w.t), Port: 1}
	w.Model.Clusters = append(w.Model.Clusters, model.Cluster{Name: name, Namespace: "ns", Service: name, Port: 1,
		Endpoints: append([]model.Endpoint{refuses}, others...)})
}

// Pair adds a certificate for hostnames.
func (w *World) Pair(name string, hostnames ...string) {
	w.t.Helper()
	c := harness.Certificate(w.t, hostnames...)
	w.Model.KeyPairs = append(w.Model.KeyPairs, model.KeyPair{Name: name, Certificate: c.Certificate, Key: c.Key, Hostnames: hostnames})
}

// Rule is a rule with one match and some backends; each has the index of its creation as its rule number.
func (w *World) Rule(m model.Match, backends ...model.Backend) *model.Rule {
	r := &model.Rule{Source: model.Source{Kind: model.GRPCRoute, Namespace: "ns", Name: "route", Rule: w.Rules}, Matches: []model.Match{m},
		Backends: backends}
	w.Rules++
	return r
}

// Call is a call of a path to port 8080.
func (w *World) Call(p string, md ...string) harness.Call {
	return harness.Call{Address: w.Address + ":8080", Authority: "a.example.com", Path: p, Metadata: metadata.Pairs(md...),
		Message: []byte("hello")}
}

// To is a backend that Cluster has added.
func To(name string) model.Backend { return model.Backend{Weight: 1, Cluster: "ns/" + name + ":80"} }

// Path is that of one method.
func Path(service, method string) model.Path {
	return model.Path{Kind: model.ExactPath, Value: "/" + service + "/" + method, Service: service, Method: method}
}

// Regex is a regular expression of the test's own.
func Regex(t testing.TB, text string) *pattern.Pattern {
	t.Helper()
	p, err := pattern.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// Host is the call of another host.
func Host(c harness.Call, h string) harness.Call {
	c.Authority = h
	return c
}

// Same fails unless the values of a header are those that it should have.
func Same(t testing.TB, what string, got []string, want ...string) {
	t.Helper()
	// A list in one field and in several means the same.
	if strings.Join(got, ", ") != strings.Join(want, ", ") {
		t.Errorf("%s is %q, want %q", what, got, want)
	}
}
