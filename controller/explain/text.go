package explain

import (
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/gatewright/gatewright/controller/status"
	"github.com/gatewright/gatewright/generators/model"
)

// shownOthers is how many rules that were not looked at an explanation shows without --verbose.
const shownOthers = 8

// Text writes an explanation for a person; verbose shows all rules that were not looked at.
func (e *Explanation) Text(out io.Writer, verbose bool) error {
	b := &strings.Builder{}
	e.callText(b)
	if len(e.Candidates) > 0 {
		fmt.Fprintln(b, "\nCandidates, the first that matches serves")
		candidatesText(b, e.Candidates)
	}
	if len(e.Others) > 0 {
		shown := len(e.Others)
		if !verbose {
			shown = min(shown, shownOthers)
		}
		fmt.Fprintln(b, "\nOther rules of this listener")
		candidatesText(b, e.Others[:shown])
		if rest := len(e.Others) - shown; rest > 0 {
			fmt.Fprintf(b, "  and %d more: -v shows them\n", rest)
		}
	}
	e.answerText(b)
	if e.Checked {
		fmt.Fprintln(b, "\nThe reference evaluator agrees.")
	}
	if len(e.Refused) > 0 {
		fmt.Fprintln(b, "\nTakes no part, for its status refuses it")
		var refused []status.Refusal
		for _, r := range e.Refused {
			refused = append(refused, status.Refusal(r))
		}
		status.WriteRefusals(b, refused)
	}
	_, err := io.WriteString(out, b.String())
	return err
}

func (e *Explanation) callText(b *strings.Builder) {
	if e.Call.Method != "" {
		fmt.Fprintf(b, "Request   %s %s for %s\n", e.Call.Method, e.Call.Path, e.Call.Authority)
	} else {
		fmt.Fprintf(b, "Call      %s for %s\n", e.Call.Path, e.Call.Authority)
	}
	for _, h := range e.Call.Headers {
		fmt.Fprintf(b, "          %s\n", h)
	}
	if e.Call.SNI != "" {
		fmt.Fprintf(b, "          over TLS, server name %s\n", e.Call.SNI)
	}
	if l := e.Listener; l != nil {
		of := "Gateway " + l.Gateway
		if l.ListenerSet != "" {
			of = "ListenerSet " + l.ListenerSet + " at " + of
		}
		fmt.Fprintf(b, "Listener  %s of %s: %s, port %d, %s\n", l.Name, of, l.Protocol, l.Port, model.HostnameText(l.Hostname))
		if l.Clients != "" {
			fmt.Fprintf(b, "Clients   %s\n", l.Clients)
		}
		if l.Connections != "" {
			fmt.Fprintf(b, "Clients   %s\n", l.Connections)
		}
	} else {
		fmt.Fprintln(b, "Listener  none")
	}
}

func candidatesText(b *strings.Builder, list []Candidate) {
	w := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	for i, c := range list {
		verdict := "serves"
		if !c.Serves {
			verdict = "no: " + c.Why
		}
		rule := c.Rule
		if c.Match > 0 {
			rule += " match " + strconv.Itoa(c.Match)
		}
		fmt.Fprintf(w, "  %d\t%s\t%s\t%s\t%s\n", i+1, rule, model.HostnameText(c.Hostname), c.Wants, verdict)
	}
	_ = w.Flush() // A builder takes everything.
}

func (e *Explanation) answerText(b *strings.Builder) {
	a := e.Answer
	if a.Rule != "" {
		fmt.Fprintf(b, "\nServed by %s\n", a.Rule)
	}
	if a.Proxy != "" {
		if a.Rule == "" {
			fmt.Fprintln(b)
		}
		fmt.Fprintf(b, "The proxy answers %s\n", a.Proxy)
	}
	for _, s := range a.Backends {
		fmt.Fprintf(b, "  %s of the calls: ", percentText(s.Percent))
		switch {
		case s.Service == "":
			fmt.Fprintf(b, "the proxy answers %s\n", s.Proxy)
		case s.Proxy != "":
			fmt.Fprintf(b, "Service %s, %s\n", s.Service, s.Proxy)
		default:
			fmt.Fprintf(b, "Service %s at %s\n", s.Service, strings.Join(s.Endpoints, ", "))
		}
		if s.TLS != "" {
			fmt.Fprintf(b, "      %s\n", s.TLS)
		}
		for _, line := range s.Policy {
			fmt.Fprintf(b, "      %s\n", line)
		}
		for _, line := range s.Describe() {
			fmt.Fprintf(b, "      %s\n", line)
		}
	}
}

// percentText gives two decimals at most.
func percentText(p float64) string {
	return strconv.FormatFloat(math.Round(p*100)/100, 'f', -1, 64) + "%"
}
