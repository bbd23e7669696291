package pipeline

import (
	"fmt"
	"io"
	"log/slog"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/gatewright/gatewright/controller/status"
	"github.com/gatewright/gatewright/generators/model"
)

// ShownRefusals is how many refusals a summary shows without --verbose; status.yaml has them all.
const ShownRefusals = 20

// served is one listener with the number of things that it serves.
type served struct {
	listener      *model.Listener
	address       string
	routes, rules int
}

// Summary tells a person what is served, what is not and why, and what became of it.
func (r *Result) Summary(out io.Writer, outcome string, verbose bool) {
	fmt.Fprintf(out, "For %s %s%s\n", r.Capabilities.Proxy, r.Capabilities.Version, origin(r.Capabilities))
	servedText(out, r.Served)
	if len(r.Notes) > 0 {
		fmt.Fprintln(out, "\nNotes")
		for _, n := range r.Notes {
			fmt.Fprintf(out, "  %s\n", n)
		}
	}
	refused := r.Refused()
	shown := len(refused)
	if !verbose {
		shown = min(shown, ShownRefusals)
	}
	if len(refused) > 0 {
		fmt.Fprintln(out, "\nNot served")
		status.WriteRefusals(out, refused[:shown])
		if rest := len(refused) - shown; rest > 0 {
			fmt.Fprintf(out, "  and %d more: -v shows them, %s holds them\n", rest, StatusFile)
		}
	}
	if outcome != "" {
		fmt.Fprintf(out, "\n%s\n", outcome)
	}
	if verbose {
		var parts []string
		for _, s := range r.Steps {
			parts = append(parts, fmt.Sprintf("%s %s", s.Name, s.Took.Round(time.Millisecond/10)))
		}
		fmt.Fprintf(out, "Took %s.\n", strings.Join(parts, ", "))
	}
}

func origin(c model.Capabilities) string {
	if c.Origin == "" || c.Origin == "stated" {
		return ""
	}
	return " (" + c.Origin + ")"
}

func servedText(out io.Writer, m model.Gateways) {
	fmt.Fprintln(out, "\nServed")
	if len(m.Gateways) == 0 {
		fmt.Fprintln(out, "  nothing: no Gateway is accepted")
	}
	for i := range m.Gateways {
		g := &m.Gateways[i]
		fmt.Fprintf(out, "  Gateway %s/%s\n", g.Namespace, g.Name)
		if len(g.Listeners) == 0 {
			fmt.Fprintln(out, "    nothing: no listener is accepted")
		}
		w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
		for _, s := range servedBy(g) {
			fmt.Fprintf(w, "    %s\t%s\t%s:%d\t%s\t%s, %s\n", model.ListenerText(s.listener.Name), s.listener.Protocol, s.address, s.listener.Port,
				model.HostnameText(s.listener.Hostname), Counted(s.routes, "route"), Counted(s.rules, "rule"))
		}
		_ = w.Flush() // It can only fail as the writer below it does.
	}
}

// servedBy counts the routes and rules of each listener; a rule under two hostnames is one.
func servedBy(g *model.Gateway) []served {
	address := "*"
	if len(g.Addresses) > 0 {
		address = strings.Join(g.Addresses, ",")
	}
	var list []served
	for i := range g.Listeners {
		l := &g.Listeners[i]
		routes, rules := map[model.Source]bool{}, map[model.Source]bool{}
		for _, scope := range l.Scopes {
			for _, r := range scope.Rules {
				rules[model.Source{Kind: r.Source.Kind, Namespace: r.Source.Namespace, Name: r.Source.Name, Rule: r.Source.Rule}] = true
				routes[model.Source{Kind: r.Source.Kind, Namespace: r.Source.Namespace, Name: r.Source.Name}] = true
			}
		}
		list = append(list, served{l, address, len(routes), len(rules)})
	}
	return list
}

// Counted is a number of things in words: "1 rule", "2 rules".
func Counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// Log tells a machine what Summary tells a person, an event a line.
func (r *Result) Log(log *slog.Logger, outcome string) {
	for i := range r.Served.Gateways {
		g := &r.Served.Gateways[i]
		for _, s := range servedBy(g) {
			log.Info("listener served", "event", "served", "gateway", g.Namespace+"/"+g.Name, "listener", s.listener.Name,
				"protocol", string(s.listener.Protocol), "address", s.address, "port", s.listener.Port, "hostname", s.listener.Hostname,
				"routes", s.routes, "rules", s.rules)
		}
	}
	for _, n := range r.Notes {
		log.Info(n, "event", "note")
	}
	refused := r.Refused()
	for _, no := range refused {
		log.Warn(no.Message, "event", "refused", "object", no.Object, "where", no.Where, "condition", no.Condition, "reason", no.Reason)
	}
	took := map[string]float64{}
	for _, s := range r.Steps {
		took[s.Name] = s.Took.Seconds()
	}
	log.Info(outcome, "event", "done", "proxy", r.Capabilities.Proxy, "version", r.Capabilities.Version.String(),
		"refused", len(refused), "seconds", took)
}
