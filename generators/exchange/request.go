package exchange

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/gatewright/gatewright/generators/model"
)

// APIVersion is the version of the protocol, in every request and every answer. Within it names keep their meaning, and fields are
// only added.
const APIVersion = "gatewright.io/generator/v1alpha1"

// Kind is what a request asks for.
type Kind string

// The kinds of requests.
const (
	// KindCapabilities asks what the proxy can do; all that translate refuses by name depends on it.
	KindCapabilities Kind = "Capabilities"
	// KindRender asks for the files of a model.
	KindRender Kind = "Render"
)

// Request is what a program gets on its standard input.
type Request struct {
	APIVersion string `json:"apiVersion"`
	Kind       Kind   `json:"kind"`
	// Capabilities are those that the program has told, and Model and PEM are what to write; in a Render alone.
	Capabilities *model.Capabilities `json:"capabilities,omitempty"`
	Model        *model.Gateways     `json:"model,omitempty"`
	PEM          *PEM                `json:"pem,omitempty"`
}

// PEM is the content of certificates and keys, which the model's own JSON leaves out, so that nothing that prints a model shows
// a key.
type PEM struct {
	// KeyPairs are the model's by name.
	KeyPairs map[string]KeyPair `json:"keyPairs,omitempty"`
	// Bundles are the model's by name.
	Bundles map[string]string `json:"bundles,omitempty"`
	// Clients are the authorities for the certificates of a listener's clients, by "namespace/gateway/listener".
	Clients map[string]string `json:"clients,omitempty"`
}

// KeyPair is a certificate chain and its key.
type KeyPair struct {
	Certificate string `json:"certificate"`
	Key         string `json:"key"`
}

// Ask is a request for capabilities.
func Ask() ([]byte, error) {
	return json.Marshal(Request{APIVersion: APIVersion, Kind: KindCapabilities})
}

// Encode is a request for the files of a model.
func Encode(m model.Gateways, c model.Capabilities) ([]byte, error) {
	p := &PEM{KeyPairs: map[string]KeyPair{}, Bundles: map[string]string{}, Clients: map[string]string{}}
	for _, k := range m.KeyPairs {
		p.KeyPairs[k.Name] = KeyPair{string(k.Certificate), string(k.Key)}
	}
	for _, b := range m.Bundles {
		p.Bundles[b.Name] = string(b.Certificates)
	}
	eachListener(m, func(key string, l *model.Listener) {
		if l.Clients != nil {
			p.Clients[key] = string(l.Clients.Certificates)
		}
	})
	return json.Marshal(Request{APIVersion: APIVersion, Kind: KindRender, Capabilities: &c, Model: &m, PEM: p})
}

// Decode reads what Encode wrote. A rule that was in several scopes is one rule again. Model.Cluster.Unlearnt isn't told: files
// that are only written hold all endpoints.
func Decode(data []byte) (m model.Gateways, c model.Capabilities, err error) {
	var r Request
	if err := json.Unmarshal(data, &r); err != nil {
		return m, c, err
	}
	if r.APIVersion != APIVersion || r.Kind != KindRender || r.Model == nil || r.Capabilities == nil || r.PEM == nil {
		return m, c, fmt.Errorf("it is no whole request of kind %s in %s", KindRender, APIVersion)
	}
	m, c = *r.Model, *r.Capabilities
	for i := range m.KeyPairs {
		k := &m.KeyPairs[i]
		pem := r.PEM.KeyPairs[k.Name]
		k.Certificate, k.Key = []byte(pem.Certificate), []byte(pem.Key)
	}
	for i := range m.Bundles {
		m.Bundles[i].Certificates = []byte(r.PEM.Bundles[m.Bundles[i].Name])
	}
	var errs []error
	seen := map[string]*model.Rule{}
	eachListener(m, func(key string, l *model.Listener) {
		if l.Clients != nil {
			l.Clients.Certificates = []byte(r.PEM.Clients[key])
		}
		for i := range l.Scopes {
			errs = append(errs, share(l.Scopes[i].Rules, seen))
		}
	})
	return m, c, errors.Join(errs...)
}

// share has equal rules be one.
func share(rules []*model.Rule, seen map[string]*model.Rule) error {
	for i, r := range rules {
		text, err := json.Marshal(r)
		if err != nil {
			return err
		}
		if known := seen[string(text)]; known != nil {
			rules[i] = known
		}
		seen[string(text)] = rules[i]
	}
	return nil
}

func eachListener(m model.Gateways, do func(key string, l *model.Listener)) {
	for i := range m.Gateways {
		g := &m.Gateways[i]
		for j := range g.Listeners {
			do(g.Namespace+"/"+g.Name+"/"+g.Listeners[j].Name, &g.Listeners[j])
		}
	}
}
