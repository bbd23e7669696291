package model

import (
	"fmt"
	"slices"
	"strings"
)

// BackendTLS is how the endpoints of a cluster are spoken to by TLS, as a BackendTLSPolicy asks (R17). A connection that can't
// be verified so carries no call.
type BackendTLS struct {
	// Policy is the BackendTLSPolicy, "namespace/name", for a person to read.
	Policy string `json:"policy"`
	// Hostname is the server name that is sent, in lower case. An endpoint's certificate has to be one for it, unless there
	// are SubjectAltNames.
	Hostname string `json:"hostname"`
	// SubjectAltNames are what the certificate has to have one of, and not the Hostname then. No proxy verifies them: calls pass a
	// bridge.
	SubjectAltNames []SubjectAltName `json:"subjectAltNames,omitempty"`
	// Bundle names the certificates of the authorities that count; "" is those that the proxy's system trusts.
	Bundle string `json:"bundle,omitempty"`
	// KeyPair names the certificate that the proxy shows, which is its Gateway's; "" for none.
	KeyPair string `json:"keyPair,omitempty"`
}

// SubjectAltName is a name that a certificate may have.
type SubjectAltName struct {
	// Hostname is a DNS name in lower case, which may begin with "*."; URI is a whole one. One of them is "".
	Hostname string `json:"hostname,omitempty"`
	URI      string `json:"uri,omitempty"`
}

// Bundle is certificates of authorities, checked.
type Bundle struct {
	// Name depends on the content alone, so that another content never counts for a connection of this one. It is fit for a
	// file name.
	Name string `json:"name"`
	// Certificates is PEM.
	Certificates []byte `json:"-"`
}

// Bridged says whether it takes a bridge: no proxy verifies other names than the one that it asks for.
func (t *BackendTLS) Bridged() bool { return t != nil && len(t.SubjectAltNames) > 0 }

// Describe says in one line how an endpoint is verified.
func (t *BackendTLS) Describe() string {
	authorities := "an authority that BackendTLSPolicy " + t.Policy + " names"
	if t.Bundle == "" {
		authorities = "an authority that the system trusts, as BackendTLSPolicy " + t.Policy + " says"
	}
	name := t.Hostname
	if len(t.SubjectAltNames) > 0 {
		var names []string
		for _, n := range t.SubjectAltNames {
			names = append(names, n.Hostname+n.URI)
		}
		name = fmt.Sprintf("%s, asked for as %s", strings.Join(names, " or "), t.Hostname)
	}
	text := "TLS to " + name + ", certified by " + authorities
	if t.KeyPair != "" {
		text += ", with the Gateway's client certificate"
	}
	return text
}

// WithClusters is a copy of a rule whose calls and copies go to other clusters, or are answered by the proxy: place says for the name
// of a cluster where they go.
func (r *Rule) WithClusters(place func(name string) (cluster string, status *Status)) *Rule {
	out := *r
	out.Backends = slices.Clone(r.Backends)
	for i := range out.Backends {
		if b := &out.Backends[i]; b.Cluster != "" {
			if b.Cluster, b.Status = place(b.Cluster); b.Status != nil {
				*b = Backend{Weight: b.Weight, Status: b.Status}
			}
		}
		out.Backends[i].Mirrors = mirrorsAt(out.Backends[i].Mirrors, place)
	}
	return &out
}

// mirrorsAt are mirrors in other clusters. One that the proxy would have to answer for gets no copies.
func mirrorsAt(mirrors []Mirror, place func(name string) (cluster string, status *Status)) []Mirror {
	var out []Mirror
	for _, m := range mirrors {
		var status *Status
		if m.Cluster, status = place(m.Cluster); status == nil {
			out = append(out, m)
		}
	}
	return out
}
