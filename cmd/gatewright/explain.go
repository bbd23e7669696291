package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gatewright/gatewright/controller/explain"
	"github.com/gatewright/gatewright/generators/model"
)

const explainHelp = `Say which rule and backends would serve a call or a request, and why the others don't.

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
	url, httpMethod                 string
	port                            int32
	headers                         []string
}

func newExplain(log *logOptions) *cobra.Command {
	o := &explainOptions{logOptions: log}
	cmd := &cobra.Command{
		Use:   "explain -f FILES {--authority HOST --method SERVICE/METHOD | --url URL}",
		Short: "Say which rule and backends serve a call, and why",
		Long:  explainHelp,
		Example: `  gatewright explain -f manifests/ --authority shop.example.com --method shop.Cart/Add
  gatewright explain -f manifests/ --authority shop.example.com --method shop.Cart/Add -H x-canary=yes -o json
  gatewright explain -f manifests/ --url https://shop.example.com/cart?id=1 -X POST -H content-type=text/plain`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd) },
	}
	f := cmd.Flags()
	o.inquiry.flags(f)
	formatFlag(f, &o.format, "text", "json", "yaml")
	f.StringVar(&o.authority, "authority", "", "`host` that the call is for, with or without a port, or its URL")
	f.StringVar(&o.method, "method", "", "what is called: `SERVICE/METHOD`")
	f.StringVar(&o.url, "url", "", "`URL` of an HTTP request, in place of --authority and --method")
	f.StringVarP(&o.httpMethod, "request", "X", "GET", "HTTP `method` of the request for the URL")
	f.StringArrayVarP(&o.headers, "header", "H", nil, "metadata of the call, `NAME=VALUE` or 'NAME: VALUE'; repeatable")
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
	call, err := q.request()
	if err != nil {
		return call, err
	}
	if q.port != 0 {
		call.Port = q.port
	}
	call.Gateway, call.SNI = q.gateway, model.Hostname(q.sni) // Clients send it without the dot that a name may end in.
	if call.SNI == "" {
		call.SNI = call.Host()
	}
	for _, h := range q.headers {
		i := strings.IndexAny(h, "=:")
		if i <= 0 {
			return call, fmt.Errorf("--header %q: want NAME=VALUE or 'NAME: VALUE', such as x-canary=yes", h)
		}
		value := h[i+1:]
		if h[i] == ':' {
			value = strings.TrimSpace(value)
		}
		call.Headers = append(call.Headers, model.Header{Name: strings.ToLower(strings.TrimSpace(h[:i])), Value: value})
	}
	return call, nil
}

// request reads what is asked for: a gRPC method, or a URL.
func (q *question) request() (model.Call, error) {
	if q.url != "" {
		if q.method != "" || q.authority != "" {
			return model.Call{}, errors.New("--url says the host and the path: leave --authority and --method out")
		}
		return urlCall(q.url, q.httpMethod)
	}
	if q.authority == "" {
		return model.Call{}, errors.New("no host: name it with --authority HOST, or a URL with --url")
	}
	service, method, found := strings.Cut(strings.TrimPrefix(q.method, "/"), "/")
	if !found || service == "" || method == "" {
		return model.Call{}, fmt.Errorf("--method %q: want SERVICE/METHOD, such as shop.Cart/Add", q.method)
	}
	call := model.Call{Authority: q.authority, Path: "/" + service + "/" + method, Method: "POST", ContentType: model.GRPCContentType}
	if strings.Contains(q.authority, "://") {
		at, err := urlCall(q.authority, "")
		if err != nil || at.Path != "/" {
			return call, fmt.Errorf("--authority %q: want a host such as shop.example.com, or a URL without a path such as https://shop.example.com",
				q.authority)
		}
		call.Authority, call.Port = at.Authority, at.Port
	}
	return call, nil
}

// urlCall is the request for a URL, whose path and query stay as they are written.
func urlCall(text, method string) (model.Call, error) {
	scheme, rest, found := strings.Cut(text, "://")
	ports := map[string]int32{"http": 80, "https": 443}
	port, known := ports[strings.ToLower(scheme)]
	authority := rest
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		authority = rest[:i]
	}
	if !found || !known || authority == "" || strings.Contains(authority, "@") {
		return model.Call{}, fmt.Errorf("--url %q: want a URL such as https://shop.example.com/cart?id=1", text)
	}
	path, _, _ := strings.Cut(rest[len(authority):], "#")
	if !strings.HasPrefix(path, "/") {
		path = "/" + path
	}
	if _, given, err := net.SplitHostPort(authority); err == nil {
		n, err := strconv.ParseUint(given, 10, 16)
		if err != nil {
			return model.Call{}, fmt.Errorf("--url %q: %q isn't a port", text, given)
		}
		port = int32(n)
	}
	return model.Call{Port: port, Authority: authority, Path: path, Method: strings.ToUpper(method)}, nil
}
