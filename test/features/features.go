package features

import (
	"fmt"
	"strings"

	"github.com/gatewright/gatewright/generators/haproxy"
	"github.com/gatewright/gatewright/generators/model"
	"github.com/gatewright/gatewright/generators/nginx"
	"github.com/gatewright/gatewright/test/harness"
)

// columns are the versions that are tested.
var columns = []model.Capabilities{
	nginx.CapabilitiesOf(model.Version{Major: 1, Minor: 22, Patch: 1}),
	nginx.CapabilitiesOf(model.Version{Major: 1, Minor: 26, Patch: 3}),
	nginx.CapabilitiesOf(model.Version{Major: 1, Minor: 30, Patch: 6}),
	haproxy.CapabilitiesOf(model.Version{Major: 2, Minor: 6, Patch: 12}),
	haproxy.CapabilitiesOf(model.Version{Major: 3, Minor: 0, Patch: 11}),
	haproxy.CapabilitiesOf(model.Version{Major: 3, Minor: 2, Patch: 26}),
	haproxy.CapabilitiesOf(model.Version{Major: 3, Minor: 4, Patch: 7}),
}

// row is one thing that is asked for, and who serves it. What is set of its fields is looked at in this order.
type row struct {
	// requirement is the number; "" in the tables of fields.
	requirement string
	what        string
	// change asks for it in objects that are served otherwise; translation then says whether it is refused.
	change func(*objects)
	// needs are the features without which it is refused.
	needs []model.Feature
	// refused says why no proxy serves it yet.
	refused string
	// limit says what is not served as written, or "".
	limit func(model.Capabilities) string
}

// verdict is "served", or how not: with the number of the reason, which notes holds.
func (r *row) verdict(c model.Capabilities, pair harness.KeyPair, notes *notes) string {
	if r.change != nil {
		o := newObjects(pair)
		r.change(o)
		if why := o.ask(c); why != "" {
			return "refused" + notes.number(why)
		}
	}
	for _, f := range r.needs {
		if !c.Has(f) {
			return "refused" + notes.number(c.Missing[f])
		}
	}
	if r.refused != "" {
		return "refused" + notes.number(r.refused)
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

const introduction = `# What each proxy serves

For the versions as Debian builds them. ` + "`gatewright capabilities --proxy-binary PATH`" + ` says it of yours.
*Refused* means that status names it; nothing is dropped without a word. *Limited* means that it is served, and how
not quite as written. The numbers lead to the reasons at the end.

Written by ` + "`go test ./test/features -update`" + `: fields are asked of the translation, in a configuration that is served
otherwise, and a refusal is given in the words of its status.
`

const faultsIntroduction = `
## Known faults of versions

Distributions mend faults without another version: Debian 12's HAProxy 2.6.12 and nginx 1.22.1 have fixes of later ones,
and a proxy's own version doesn't tell. ` + "`gatewright capabilities`" + ` names those of a version, and gatewright logs them as it starts.

| versions | what | what it means |
|---|---|---|
`

// faultRows writes a row for each fault.
func faultRows(b *strings.Builder, name string, faults []model.Fault) {
	for _, f := range faults {
		var ranges []string
		for _, r := range f.Versions {
			text := fmt.Sprintf("%s and later", r.From)
			if r.Fixed != (model.Version{}) {
				text = fmt.Sprintf("%s until before %s", r.From, r.Fixed)
			}
			ranges = append(ranges, text)
		}
		fmt.Fprintf(b, "| %s %s | %s | %s |\n", name, strings.Join(ranges, "; "), f.What, f.Means)
	}
}

// Page is docs/proxies.md.
func Page(t harness.T) []byte {
	t.Helper()
	pair := harness.Certificate(t, "a.example.com")
	pair.Certificate = append(pair.Certificate, harness.Authority(t)...)
	var b strings.Builder
	b.WriteString(introduction)
	var reasons notes
	for _, section := range []struct {
		title, first string
		rows         []row
	}{
		{"Requirements", "| | what |", requirements},
		{"GatewayClass, Gateway and listeners", "| field |", gatewayFields},
		{"GRPCRoute and what it refers to", "| field |", routeFields},
	} {
		fmt.Fprintf(&b, "\n## %s\n\n%s", section.title, section.first)
		for _, c := range columns {
			name := map[string]string{"nginx": "nginx", "haproxy": "HAProxy"}[c.Proxy]
			fmt.Fprintf(&b, " %s %d.%d |", name, c.Version.Major, c.Version.Minor)
		}
		b.WriteString("\n" + strings.Repeat("|---", strings.Count(section.first, "|")-1+len(columns)) + "|\n")
		for _, r := range section.rows {
			if r.requirement != "" {
				fmt.Fprintf(&b, "| %s ", r.requirement)
			}
			fmt.Fprintf(&b, "| %s |", r.what)
			for _, c := range columns {
				fmt.Fprintf(&b, " %s |", r.verdict(c, pair, &reasons))
			}
			b.WriteByte('\n')
		}
	}
	b.WriteString(faultsIntroduction)
	faultRows(&b, "nginx", nginx.Faults)
	faultRows(&b, "HAProxy", haproxy.Faults)
	b.WriteString("\n## Reasons\n\n")
	for i, reason := range reasons.list {
		fmt.Fprintf(&b, "%d. %s\n", i+1, reason)
	}
	return []byte(b.String())
}
