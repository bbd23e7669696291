package features

import (
	"fmt"
	"strings"

	"github.com/gatewright/gatewright/generators/haproxy"
	"github.com/gatewright/gatewright/generators/model"
	"github.com/gatewright/gatewright/generators/nginx"
)

// columns are the versions that are tested.
var columns = []model.Capabilities{
	nginx.CapabilitiesOf(model.Version{Major: 1, Minor: 22, Patch: 1}),
	nginx.CapabilitiesOf(model.Version{Major: 1, Minor: 26, Patch: 3}),
	nginx.CapabilitiesOf(model.Version{Major: 1, Minor: 30, Patch: 6}),
	haproxy.CapabilitiesOf(model.Version{Major: 2, Minor: 6, Patch: 12}),
	haproxy.CapabilitiesOf(model.Version{Major: 3, Minor: 0, Patch: 11}),
	haproxy.CapabilitiesOf(model.Version{Major: 3, Minor: 2, Patch: 26}),
}

// row is one thing that the API has, and who serves it.
type row struct {
	requirement, field string
	// needs are the features without which it is refused.
	needs []model.Feature
	// limit says what is not served as written, or "".
	limit func(model.Capabilities) string
	// refused says why no proxy serves it yet, or "".
	refused string
}

var rows = []row{
	{requirement: "R1", field: "listener protocol HTTP: cleartext HTTP/2", needs: []model.Feature{model.FeatureHTTP2, model.FeatureH2C}},
	{requirement: "R1", field: "HTTP/1.1 on the same port", needs: []model.Feature{model.FeatureHTTP1Shared}},
	{requirement: "R1", field: "listener protocol HTTPS: HTTP/2 by ALPN", needs: []model.Feature{model.FeatureTLS}},
	{requirement: "R5", field: "hostnames, wildcards over any number of labels"},
	{requirement: "R5", field: "the authority that a backend sees", limit: only("haproxy", "the port is left out where it is the scheme's own")},
	{requirement: "R7", field: "isolation of listeners, 421", limit: only("haproxy",
		"where a port has wildcard listeners and none for all hosts, a connection for another server name ends right behind the handshake, not in it")},
	{requirement: "R8", field: "matches[].method of type Exact"},
	{requirement: "R9", field: "matches[].method of type RegularExpression", limit: valueLimit},
	{requirement: "R10", field: "matches[].headers: names", limit: func(c model.Capabilities) string {
		return fmt.Sprintf("letters, digits and `` %s ``; others are refused by name", c.Limits.MatchHeaderName)
	}},
	{requirement: "R10", field: "matches[].headers: values", limit: valueLimit},
	{requirement: "R10", field: "a header in several lines", limit: func(c model.Capabilities) string {
		if c.Proxy == "nginx" && !c.Version.AtLeast(1, 23, 0) {
			return "only the first line is seen"
		}
		return ""
	}},
	{requirement: "R14", field: "backendRefs[].weight", limit: func(c model.Capabilities) string {
		if c.Proxy == "nginx" {
			return "in steps of 0.01 %, drawn at random"
		}
		return "in steps of 2⁻³⁰, dealt out evenly"
	}},
	{requirement: "R17", field: "HTTP/2 to backends", needs: []model.Feature{model.FeatureGRPC}},
	{requirement: "R17", field: "BackendTLSPolicy", refused: "not built yet"},
	{requirement: "R18", field: "gRPC statuses of the proxy's own"},
	{requirement: "R18", field: "an endpoint that refuses connections", limit: func(c model.Capabilities) string {
		if c.Proxy == "haproxy" && c.Version.AtLeast(3, 1, 0) {
			return "two calls fail before it is left: this version can't tell a refused connection from a call that the endpoint has seen"
		}
		return ""
	}},
	{requirement: "R19", field: "RequestHeaderModifier, ResponseHeaderModifier"},
	{requirement: "R20", field: "RequestMirror", refused: "not built yet"},
	{requirement: "R21", field: "timeouts and retries", refused: "not built yet"},
	{requirement: "R23", field: "quiet streams", limit: func(model.Capabilities) string { return "24 hours; 1 hour across a reload" }},
	{requirement: "R30", field: "several certificates on a listener", needs: []model.Feature{model.FeatureTLS}, limit: only("haproxy",
		"where wildcard listeners of a port have different certificates, a name with more labels under the narrower one that no route has written gets the widest one's")},
	{requirement: "R34", field: "endpoints without a reload", needs: []model.Feature{model.FeatureResolve}},
	{requirement: "–", field: "sessionPersistence", needs: []model.Feature{model.FeatureSticky}, refused: "not built yet"},
}

// only is a limit of one proxy.
func only(proxy, limit string) func(model.Capabilities) string {
	return func(c model.Capabilities) string {
		if c.Proxy == proxy {
			return limit
		}
		return ""
	}
}

func valueLimit(c model.Capabilities) string {
	return fmt.Sprintf("%d bytes, most characters but letters and digits counting four", c.Limits.MatchValue)
}

// verdict is "served", or how not: with the number of the reason, which notes holds.
func (r *row) verdict(c model.Capabilities, notes *notes) string {
	if r.refused != "" {
		return "refused" + notes.number(r.refused)
	}
	for _, f := range r.needs {
		if !c.Has(f) {
			return "refused" + notes.number(c.Missing[f])
		}
	}
	if r.limit != nil {
		if why := r.limit(c); why != "" {
			return "limited" + notes.number(why)
		}
	}
	return "served"
}

// notes numbers reasons, the same one once.
type notes struct {
	list []string
}

func (n *notes) number(reason string) string {
	for i, have := range n.list {
		if have == reason {
			return fmt.Sprintf(" (%d)", i+1)
		}
	}
	n.list = append(n.list, reason)
	return fmt.Sprintf(" (%d)", len(n.list))
}

// Page is docs/proxies.md.
func Page() []byte {
	var b strings.Builder
	b.WriteString("# What each proxy serves\n\nFor the versions as Debian builds them. `gatewright capabilities --proxy-binary PATH` says it of yours.\n" +
		"*Refused* means that status names it; nothing is dropped without a word. Written by `go test ./test/features -update`.\n\n")
	b.WriteString("| | what |")
	for _, c := range columns {
		name := map[string]string{"nginx": "nginx", "haproxy": "HAProxy"}[c.Proxy]
		fmt.Fprintf(&b, " %s %d.%d |", name, c.Version.Major, c.Version.Minor)
	}
	b.WriteString("\n|---|---|" + strings.Repeat("---|", len(columns)) + "\n")
	var reasons notes
	for _, r := range rows {
		fmt.Fprintf(&b, "| %s | %s |", r.requirement, r.field)
		for _, c := range columns {
			fmt.Fprintf(&b, " %s |", r.verdict(c, &reasons))
		}
		b.WriteByte('\n')
	}
	b.WriteByte('\n')
	for i, reason := range reasons.list {
		fmt.Fprintf(&b, "%d. %s\n", i+1, reason)
	}
	return []byte(b.String())
}
