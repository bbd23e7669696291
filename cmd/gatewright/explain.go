package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gatewright/gatewright/controller/explain"
	"github.com/gatewright/gatewright/generators/model"
)

const explainHelp = `Say which rule and backends would serve a call, and why the others don't.

The answer comes from the same tables that the proxy's configuration is rendered from. --check asks a second,
plainly written evaluator too; a disagreement is an error.

Exit codes: 0 a backend gets the call, 1 error, 2 the proxy answers it by itself.`

// explainOptions are the flags of explain.
type explainOptions struct {
	*logOptions
	inquiry
	question
	format string
	check  bool
}

// question is the call that explain is asked about.
type question struct {
	authority, method, sni, gateway string
	port                            int32
	headers                         []string
}

func newExplain(log *logOptions) *cobra.Command {
	o := &explainOptions{logOptions: log}
	cmd := &cobra.Command{
		Use:   "explain -f FILES --authority HOST --method SERVICE/METHOD",
		Short: "Say which rule and backends serve a call, and why",
		Long:  explainHelp,
		Example: `  gatewright explain -f manifests/ --authority shop.example.com --method shop.Cart/Add
  gatewright explain -f manifests/ --authority shop.example.com --method shop.Cart/Add -H x-canary=yes -o json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd) },
	}
	f := cmd.Flags()
	o.inquiry.flags(f)
	formatFlag(f, &o.format, "text", "json", "yaml")
	f.StringVar(&o.authority, "authority", "", "`host` that the call is for, with or without a port")
	f.StringVar(&o.method, "method", "", "what is called: `SERVICE/METHOD`")
	f.StringArrayVarP(&o.headers, "header", "H", nil, "metadata of the call, `NAME=VALUE`; repeatable")
	f.Int32Var(&o.port, "port", 0, "`port` that the call arrives at; else the first one with a listener for the host")
	f.StringVar(&o.sni, "sni", "", "server `name` of the TLS handshake; else the authority's host")
	f.StringVar(&o.gateway, "gateway", "", gatewayFlag)
	f.BoolVar(&o.check, "check", false, "ask the reference evaluator too")
	return cmd
}

func (o *explainOptions) run(cmd *cobra.Command) error {
	call, err := o.call()
	if err != nil {
		return err
	}
	r, err := o.read(cmd, o.logOptions)
	if err != nil {
		return err
	}
	e := explain.New(r.Served, r.Refused(), call)
	if o.check {
		if err := e.Check(); err != nil {
			return err
		}
	}
	if err := printValue(cmd.OutOrStdout(), o.format, e, func(w io.Writer) error { return e.Text(w, o.verbose) }); err != nil {
		return err
	}
	if !e.ReachesBackend() {
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
