package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gatewright/gatewright/generators/matching"
	"github.com/gatewright/gatewright/generators/matching/reference"
	"github.com/gatewright/gatewright/generators/model"
)

const explainHelp = `Say which rule and backends would serve a call, and why the others don't.

The answer comes from the same tables that the proxy's configuration is rendered from. --check asks a second,
plainly written evaluator too; a disagreement is an error.

Exit codes: 0 a backend gets the call, 1 error, 2 the proxy answers it by itself.`

// question is the call that explain is asked about.
type question struct {
	authority, method, sni, gateway string
	port                            int32
	headers                         []string
}

func newExplain(log *logOptions) *cobra.Command {
	o := &options{logOptions: log}
	q := &question{}
	cmd := &cobra.Command{
		Use:   "explain -f FILES --authority HOST --method SERVICE/METHOD",
		Short: "Say which rule and backends serve a call, and why",
		Long:  explainHelp,
		Example: `  gatewright explain -f manifests/ --authority shop.example.com --method shop.Cart/Add
  gatewright explain -f manifests/ --authority shop.example.com --method shop.Cart/Add -H x-canary=yes -o json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.explain(cmd, q) },
	}
	f := cmd.Flags()
	o.inputFlags(f)
	o.proxyFlags(f)
	o.formatFlag(f, "text", "json", "yaml")
	f.StringVar(&q.authority, "authority", "", "`host` that the call is for, with or without a port")
	f.StringVar(&q.method, "method", "", "what is called: `SERVICE/METHOD`")
	f.StringArrayVarP(&q.headers, "header", "H", nil, "metadata of the call, `NAME=VALUE`; repeatable")
	f.Int32Var(&q.port, "port", 0, "`port` that the call arrives at; else the first one with a listener for the host")
	f.StringVar(&q.sni, "sni", "", "server `name` of the TLS handshake; else the authority's host")
	f.StringVar(&q.gateway, "gateway", "", gatewayFlag)
	f.BoolVar(&o.check, "check", false, "ask the reference evaluator too")
	return cmd
}

func (o *options) explain(cmd *cobra.Command, q *question) error {
	call, err := q.call()
	if err != nil {
		return err
	}
	p, err := o.translate(cmd.Context(), cmd.InOrStdin())
	if err != nil {
		return err
	}
	if err := o.leaveOut(p); err != nil {
		return err
	}
	o.journal(cmd.ErrOrStderr()).notes(p.notes)
	m := p.served
	trace := matching.Compile(m).Walk(call)
	if o.check {
		if err := checkTrace(m, trace, call); err != nil {
			return err
		}
	}
	e := newExplanation(p, trace, call)
	e.Checked = o.check
	if err := o.print(cmd.OutOrStdout(), e, func(w io.Writer) error { return e.text(w, o.verbose) }); err != nil {
		return err
	}
	if !e.reachesBackend() {
		return exitCode(exitRefused)
	}
	return nil
}

// call reads the flags.
func (q *question) call() (model.Call, error) {
	var call model.Call
	if q.authority == "" {
		return call, errors.New("no host: name it with --authority HOST")
	}
	service, method, found := strings.Cut(strings.TrimPrefix(q.method, "/"), "/")
	if !found || service == "" || method == "" {
		return call, fmt.Errorf("--method %q: want SERVICE/METHOD, such as shop.Cart/Add", q.method)
	}
	call = model.Call{
		Gateway:   q.gateway,
		Port:      q.port,
		SNI:       model.Hostname(q.sni), // Clients send it without the dot that a name may end in.
		Authority: q.authority,
		Path:      "/" + service + "/" + method,
		Method:    "POST",
	}
	if call.SNI == "" {
		call.SNI = call.Host()
	}
	for _, h := range q.headers {
		name, value, found := strings.Cut(h, "=")
		if !found || name == "" {
			return call, fmt.Errorf("--header %q: want NAME=VALUE, such as x-canary=yes", h)
		}
		call.Headers = append(call.Headers, model.Header{Name: strings.ToLower(name), Value: value})
	}
	return call, nil
}

// checkTrace holds what the tables say against the reference evaluator.
func checkTrace(m model.Gateways, trace matching.Trace, call model.Call) error {
	if trace.Port != nil {
		call.Port, call.Gateway = trace.Port.Port, trace.Port.Listeners[0].Gateway
	}
	want := reference.Evaluate(m, call)
	got := reference.Verdict{
		NoPort:      trace.Port == nil,
		Handshake:   trace.Port != nil && trace.Port.Protocol == model.HTTPS && trace.Handshake == nil,
		Misdirected: trace.Misdirected,
		Rule:        trace.Rule,
	}
	if trace.Rule != nil {
		got.Match = trace.Match
	}
	if got != want {
		return fmt.Errorf("the tables say %s, the reference evaluator %s: this is a fault of gatewright; please report it with the manifests",
			verdictText(got), verdictText(want))
	}
	return nil
}

func verdictText(v reference.Verdict) string {
	switch {
	case v.NoPort:
		return "that nothing listens there"
	case v.Handshake:
		return "that TLS is refused"
	case v.Misdirected:
		return "421"
	case v.Rule == nil:
		return "that no rule matches"
	}
	return fmt.Sprintf("%s match %d", v.Rule.Source, v.Match)
}
