package relay

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/netip"

	"github.com/gatewright/gatewright/generators/answers"
	"github.com/gatewright/gatewright/generators/model"
)

// Of is what a bridge does for a model: nothing for one that needs none. systemAuthorities is the file with the certificates of the
// authorities that the system trusts; "" leaves that to the bridge.
func Of(m model.Gateways, systemAuthorities string) Config {
	c := builder{Config: Config{Version: Version, Actions: map[string]Action{}, Upstreams: map[string]Upstream{}},
		clusters: make(map[string]*model.Cluster, len(m.Clusters)), trust: trustOf(&m, systemAuthorities)}
	for i := range m.Clusters {
		c.clusters[m.Clusters[i].Name] = &m.Clusters[i]
	}
	done := map[*model.Rule]bool{}
	for i := range m.Gateways {
		for j := range m.Gateways[i].Listeners {
			for _, s := range m.Gateways[i].Listeners[j].Scopes {
				for _, r := range s.Rules {
					if !done[r] {
						done[r] = true
						c.add(r)
					}
				}
			}
		}
	}
	return c.Config
}

// builder makes a configuration of a model.
type builder struct {
	Config
	clusters map[string]*model.Cluster
	trust    trust
}

// add adds what a rule needs.
func (c *builder) add(r *model.Rule) {
	shares := r.Shares()
	for i := range shares {
		b := &shares[i]
		cluster := c.clusters[b.Cluster]
		if cluster == nil {
			continue
		}
		if id := ID(r, b, cluster.TLS); id != "" {
			c.upstream(cluster)
			a := actionOf(r, b)
			for _, name := range a.Mirrors {
				c.upstream(c.clusters[name])
			}
			c.Actions[id] = a
		}
	}
}

// upstream adds a cluster, if it is there.
func (c *builder) upstream(cluster *model.Cluster) {
	if cluster == nil {
		return
	}
	if _, ok := c.Upstreams[cluster.Name]; ok {
		return
	}
	u := Upstream{Source: answers.Service(cluster), Endpoints: []netip.AddrPort{}}
	if cluster.Protocol == model.BackendHTTP1 {
		u.Protocol = HTTP1
	}
	for _, e := range cluster.Endpoints {
		// Translation lets no policy that needs a bridge meet endpoints with names.
		if ip, err := netip.ParseAddr(e.Address); err == nil && e.Port > 0 && e.Port <= 65535 {
			u.Endpoints = append(u.Endpoints, netip.AddrPortFrom(ip, uint16(e.Port)))
		}
	}
	if cluster.TLS != nil {
		if u.TLS = c.trust.tls(cluster.TLS); u.TLS == nil {
			u.Endpoints = []netip.AddrPort{} // Whom nobody can verify gets nothing.
		}
	}
	c.Upstreams[cluster.Name] = u
}

func actionOf(r *model.Rule, b *model.Backend) Action {
	a := Action{Source: r.Source.String(), Upstream: b.Cluster, Web: b.Web}
	for _, m := range b.Mirrors {
		a.Mirrors = append(a.Mirrors, m.Cluster)
	}
	if b.Calls.Bridged() {
		a.Timeout = Duration(b.Calls.Timeout)
		a.Retry = retryOf(b.Calls.Retry)
	}
	return a
}

func retryOf(r *model.CallRetry) *Retry {
	if r == nil {
		return nil
	}
	out := &Retry{Retries: r.Retries, PerTry: Duration(r.PerTry), Backoff: Duration(r.Backoff), RequestBytes: r.RequestBytes,
		Budget: &RetryBudget{Percent: r.Percent, PerSecond: r.PerSecond}}
	for _, on := range r.On {
		out.On = append(out.On, Condition(on))
	}
	return out
}

// Needed says whether the calls of a backend pass the bridge, whose endpoints are reached by TLS, or in cleartext for nil.
func Needed(b *model.Backend, tls *model.BackendTLS) bool {
	return b.Cluster != "" && (len(b.Mirrors) > 0 || b.Calls.Bridged() || b.Web || tls.Bridged())
}

// Required says whether the calls of a backend pass the bridge and fail while there is none: nothing else can keep their policy. So it is with
// TLS: a proxy that speaks cleartext to the bridge would speak it to the endpoints too.
func Required(b *model.Backend, tls *model.BackendTLS) bool {
	return Needed(b, tls) && (tls != nil || b.Calls.Bridged() && !b.Calls.Bypass)
}

// ID is that of the action for one of the Shares of a rule, which goes to a cluster with that TLS; "" for one whose calls don't pass
// the bridge. It depends on all that the action says, and so means the same for ever.
func ID(r *model.Rule, share *model.Backend, tls *model.BackendTLS) string {
	if !Needed(share, tls) {
		return ""
	}
	text, err := json.Marshal(actionOf(r, share))
	if err != nil {
		panic(err) // It has texts and numbers only.
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:8])
}

// Text is the file of a configuration.
func (c *Config) Text() ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	err := e.Encode(c)
	return b.Bytes(), err
}
