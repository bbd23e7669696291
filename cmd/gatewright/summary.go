package main

import (
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/gatewright/gatewright/controller/pipeline"
	"github.com/gatewright/gatewright/controller/status"
	"github.com/gatewright/gatewright/generators/model"
)

// shownRefusals is how many refusals a summary shows without --verbose; status.yaml has them all.
const shownRefusals = 20

// served is one listener with the number of things that it serves.
type served struct {
	listener      *model.Listener
	address       string
	routes, rules int
}

// summary tells what is served, what is not and why, and what became of it.
func (j *journal) summary(r *pipeline.Result, outcome string) {
	if j.json != nil {
		j.summaryJSON(r, outcome)
		return
	}
	fmt.Fprintf(j.out, "For %s %s%s\n", r.Capabilities.Proxy, r.Capabilities.Version, origin(r.Capabilities))
	j.servedText(r.Served)
	if len(r.Notes) > 0 {
		fmt.Fprintln(j.out, "\nNotes")
		for _, n := range r.Notes {
			fmt.Fprintf(j.out, "  %s\n", n)
		}
	}
	refused := r.Refused()
	shown := len(refused)
	if !j.verbose {
		shown = min(shown, shownRefusals)
	}
	if len(refused) > 0 {
		fmt.Fprintln(j.out, "\nNot served")
		status.WriteRefusals(j.out, refused[:shown])
		if rest := len(refused) - shown; rest > 0 {
			fmt.Fprintf(j.out, "  and %d more: -v shows them, %s holds them\n", rest, pipeline.StatusFile)
		}
	}
	if outcome != "" {
		fmt.Fprintf(j.out, "\n%s\n", outcome)
	}
	if j.verbose {
		var parts []string
		for _, s := range r.Steps {
			parts = append(parts, fmt.Sprintf("%s %s", s.Name, s.Took.Round(time.Millisecond/10)))
		}
		fmt.Fprintf(j.out, "Took %s.\n", strings.Join(parts, ", "))
	}
}

func origin(c model.Capabilities) string {
	if c.Origin == "" || c.Origin == "stated" {
		return ""
	}
	return " (" + c.Origin + ")"
}

func (j *journal) servedText(m model.Gateways) {
	fmt.Fprintln(j.out, "\nServed")
	if len(m.Gateways) == 0 {
		fmt.Fprintln(j.out, "  nothing: no Gateway is accepted")
	}
	for i := range m.Gateways {
		g := &m.Gateways[i]
		fmt.Fprintf(j.out, "  Gateway %s/%s\n", g.Namespace, g.Name)
		if len(g.Listeners) == 0 {
			fmt.Fprintln(j.out, "    nothing: no listener is accepted")
		}
		w := tabwriter.NewWriter(j.out, 0, 0, 2, ' ', 0)
		for _, s := range servedBy(g) {
			fmt.Fprintf(w, "    %s\t%s\t%s:%d\t%s\t%s, %s\n", s.listener.Name, s.listener.Protocol, s.address, s.listener.Port,
				model.HostnameText(s.listener.Hostname), counted(s.routes, "route"), counted(s.rules, "rule"))
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
	var out []served
	for i := range g.Listeners {
		l := &g.Listeners[i]
		routes, rules := map[model.Source]bool{}, map[model.Source]bool{}
		for _, scope := range l.Scopes {
			for _, r := range scope.Rules {
				rules[model.Source{Kind: r.Source.Kind, Namespace: r.Source.Namespace, Name: r.Source.Name, Rule: r.Source.Rule}] = true
				routes[model.Source{Kind: r.Source.Kind, Namespace: r.Source.Namespace, Name: r.Source.Name}] = true
			}
		}
		out = append(out, served{l, address, len(routes), len(rules)})
	}
	return out
}

func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func (j *journal) summaryJSON(r *pipeline.Result, outcome string) {
	for i := range r.Served.Gateways {
		g := &r.Served.Gateways[i]
		for _, s := range servedBy(g) {
			j.json.Info("listener served", "event", "served", "gateway", g.Namespace+"/"+g.Name, "listener", s.listener.Name,
				"protocol", string(s.listener.Protocol), "address", s.address, "port", s.listener.Port, "hostname", s.listener.Hostname,
				"routes", s.routes, "rules", s.rules)
		}
	}
	j.notes(r.Notes)
	refused := r.Refused()
	for _, no := range refused {
		j.json.Warn(no.Message, "event", "refused", "object", no.Object, "where", no.Where, "condition", no.Condition, "reason", no.Reason)
	}
	took := map[string]float64{}
	for _, s := range r.Steps {
		took[s.Name] = s.Took.Seconds()
	}
	j.json.Info(outcome, "event", "done", "proxy", r.Capabilities.Proxy, "version", r.Capabilities.Version.String(),
		"refused", len(refused), "seconds", took)
}
