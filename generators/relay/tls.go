package relay

import "github.com/gatewright/gatewright/generators/model"

// trust is what a model says of whom endpoints have to be certified by, and what is shown to them.
type trust struct {
	system  string
	bundles map[string][]byte
	pairs   map[string]*model.KeyPair
}

func trustOf(m *model.Gateways, system string) trust {
	t := trust{system: system, bundles: make(map[string][]byte, len(m.Bundles)), pairs: make(map[string]*model.KeyPair, len(m.KeyPairs))}
	for i := range m.Bundles {
		t.bundles[m.Bundles[i].Name] = m.Bundles[i].Certificates
	}
	for i := range m.KeyPairs {
		t.pairs[m.KeyPairs[i].Name] = &m.KeyPairs[i]
	}
	return t
}

// tls is how a bridge speaks it; nil where something that it takes isn't in the model: without it, it would be less than was asked for.
func (t *trust) tls(b *model.BackendTLS) *TLS {
	out := &TLS{ServerName: b.Hostname}
	for _, n := range b.SubjectAltNames {
		out.SubjectAltNames = append(out.SubjectAltNames, SubjectAltName{Hostname: n.Hostname, URI: n.URI})
	}
	if b.Bundle == "" {
		out.CAsFile = t.system
	} else if out.CAs = string(t.bundles[b.Bundle]); out.CAs == "" {
		return nil
	}
	if b.KeyPair != "" {
		p := t.pairs[b.KeyPair]
		if p == nil {
			return nil
		}
		out.Certificate, out.Key = string(p.Certificate), string(p.Key)
	}
	return out
}

// Secret says whether the configuration holds a private key: its file is for the bridge alone then.
func (c *Config) Secret() bool {
	for _, u := range c.Upstreams {
		if u.TLS != nil && u.TLS.Key != "" {
			return true
		}
	}
	return false
}
