package nginx

import (
	"bytes"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"text/template"
	"time"

	"github.com/gatewright/gatewright/generators"
	"github.com/gatewright/gatewright/generators/answers"
	"github.com/gatewright/gatewright/generators/limits"
	"github.com/gatewright/gatewright/generators/matching"
	"github.com/gatewright/gatewright/generators/model"
	"github.com/gatewright/gatewright/templates"
)

// Generator renders nginx configurations.
type Generator struct {
	options generators.Options
	// templates parses them, once.
	templates func() (*template.Template, error)
}

// New returns a generator with options. With generators.LayoutInclude a team's http{} includes hash.conf (or
// has sizes of its own) and http.conf of Options.Folder.
func New(o generators.Options) *Generator {
	return &Generator{o, sync.OnceValues(func() (*template.Template, error) { return templates.Parse("nginx", o.Templates) })}
}

// View is what the templates see.
type View struct {
	// DataVersion is generators.DataVersion.
	DataVersion int
	// Generation is the hash of all files' content, known once they are rendered: until then a mark that no
	// other content can hold.
	Generation string
	Version    model.Version
	Limits     limits.Table
	// ConnectionTime is how old a client's connection gets before it is asked for another one, and IdleTimeout how long it stays
	// without a request. Settings of a Gateway's own are written with these of its own.
	ConnectionTime, IdleTimeout string
	// Folder is "" or ends in a slash: what paths of other files begin with.
	Folder string
	// User and Group are tokens for who the workers run as, or both "".
	User, Group string
	// Ciphers are the suites of TLS 1.2.
	Ciphers string
	// Marker is the token of the address where the generation is told, or "".
	Marker string
	// CallLog is the token of the file for what is said of calls, or "".
	CallLog string
	// AccessLog is where each call has a line, or nil.
	AccessLog *AccessLog
	Sizes     Sizes
	// Prefixes are the numbers of segments of the prefixes in use.
	Prefixes  []int
	Literals  []Literal
	Maps      []Map
	Splits    []Split
	Upstreams []Upstream
	// Resolver is the token of the address where endpoints are asked for, or "".
	Resolver string
	// ResolverTimeout is how long an answer may take.
	ResolverTimeout string
	// Zone is the size of the memory for what the resolver told.
	Zone     string
	Profiles []Profile
	// Warm are variables to ask for first, in order, without dollars.
	Warm    []string
	Servers []Server
	// Unscoped says that no server sets the scope of a request, for none serves any.
	Unscoped bool
	Failures []Failure
	// Ambiguous is the expression for paths that an HTTPRoute's requests are refused for, and Ordinary one for most of the
	// others: tokens.
	Ambiguous, Ordinary string
	// HTTPFailures are what nginx answers requests of HTTPRoutes with when it fails by itself.
	HTTPFailures []HTTPFailure
	// BackendTLS are the modules that speak TLS to endpoints: "grpc", "proxy".
	BackendTLS []string
	// Web says that rules take calls of gRPC-Web.
	Web bool
	// HTTP has what only HTTPRoutes and gRPC-Web need; nil when there are none.
	HTTP *HTTPView
	// Instance tells this gateway from others, and Loop answers a call that has been here before.
	Instance    string
	Loop        model.Status
	clientFiles []generators.File
	settings    []settings
	// NoRule, TwoPaths, Hostless and HTTPLoop are what requests of HTTPRoutes get whichever rule they are for.
	NoRule, TwoPaths, Hostless, HTTPLoop answers.HTTP
}

// HTTPView is what the templates see of HTTPRoutes.
type HTTPView struct {
	Profiles []HTTPProfile
	// Statuses are those that rules answer with, Redirects those that they redirect with.
	Statuses, Redirects []int
	Preflights          []Preflight
	// Trusted are networks of proxies whose X-Forwarded headers stay.
	Trusted []netip.Prefix
	// Lingers says that the version keeps idle connections a while when it is reloaded.
	Lingers bool
	// ConnectTime and NextTime are how long a connection to an endpoint may take, and the next ones may be tried.
	ConnectTime, NextTime string
}

// output is a rendered file and the template that it comes from.
type output struct {
	file, template string
	fullOnly       bool
}

// outputs are the files besides certificates.
var outputs = []output{
	{"nginx.conf", "nginx.conf.tmpl", true},
	{"http.conf", "http.conf.tmpl", false},
	{"hash.conf", "hash.conf.tmpl", false},
	{"routing.conf", "routing.conf.tmpl", false},
	{"upstreams.conf", "upstreams.conf.tmpl", false},
	{settingsFile, settingsTemplate, false},
	{serversFile, "servers.conf.tmpl", false},
	{"tls.conf", "tls.conf.tmpl", false},
	{clientsFile, "clients.conf.tmpl", false},
	{"locations.conf", "locations.conf.tmpl", false},
}

// Render returns the files of a configuration, sorted by path.
func (g *Generator) Render(m model.Gateways, c model.Capabilities) ([]generators.File, error) {
	return g.render(m, matching.Compile(m), c)
}

func (g *Generator) render(m model.Gateways, t *matching.Tables, c model.Capabilities) ([]generators.File, error) {
	view, err := g.view(m, t, c)
	if err != nil {
		return nil, fmt.Errorf("nginx: %w", err)
	}
	parsed, err := g.templates()
	if err != nil {
		return nil, fmt.Errorf("nginx: %w", err)
	}
	var files []generators.File
	for _, o := range outputs {
		if o.fullOnly && g.options.Layout == generators.LayoutInclude || o.file == clientsFile && !t.ValidatesClients() {
			continue
		}
		var b bytes.Buffer
		if err := parsed.ExecuteTemplate(&b, o.template, view); err != nil {
			return nil, fmt.Errorf("nginx: template %s: %w", o.template, err)
		}
		files = append(files, generators.File{Path: o.file, Data: b.Bytes()})
		if o.file == serversFile {
			if err := view.includesSettings(b.Bytes()); err != nil {
				return nil, fmt.Errorf("nginx: %w", err)
			}
		}
	}
	own, err := view.ownSettings(parsed)
	if err != nil {
		return nil, fmt.Errorf("nginx: %w", err)
	}
	files = append(files, own...)
	for i := range m.KeyPairs {
		p := &m.KeyPairs[i]
		files = append(files,
			generators.File{Path: certificatePath(p.Name), Data: p.Certificate},
			generators.File{Path: keyPath(p.Name), Data: p.Key, Secret: true})
	}
	files = append(files, view.clientFiles...)
	if err := asksClients(files, view.Servers); err != nil {
		return nil, fmt.Errorf("nginx: %w", err)
	}
	for i := range m.Bundles {
		files = append(files, generators.File{Path: bundlePath(m.Bundles[i].Name), Data: m.Bundles[i].Certificates})
	}
	generators.Sort(files)
	return generators.Stamp(files), nil
}

// ownOf tells copies of a rule apart that Gateways have for themselves.
func ownOf(r *model.Rule) string {
	if r.Gateway == "" {
		return ""
	}
	return " of " + r.Gateway
}

// view works out all that the templates print.
func (g *Generator) view(m model.Gateways, t *matching.Tables, c model.Capabilities) (*View, error) {
	folder := ""
	if g.options.Layout == generators.LayoutInclude && g.options.Folder != "" {
		folder = strings.TrimSuffix(g.options.Folder, "/") + "/"
	}
	if strings.ContainsAny(folder, "*?[\\\"'$;{} \t\r\n") {
		return nil, fmt.Errorf("the folder's name %q has characters that nginx's include directive doesn't take literally", g.options.Folder)
	}
	var refused generators.Refusals
	clusters, filled := upstreams(m.Clusters, g.resolves(c), &refused)
	bs := &blocks{}
	pairs := map[string]*model.KeyPair{}
	for i := range m.KeyPairs {
		pairs[m.KeyPairs[i].Name] = &m.KeyPairs[i]
	}
	scopes := t.ScopeNames()
	for i, name := range scopes {
		if name != "" {
			scopes[i] = bs.scopeID(name, t.Scopes[i].Kind)
		}
	}
	ss := &servers{tables: t, blocks: bs, scopes: scopes, pairs: pairs, http2On: c.Version.AtLeast(1, 25, 1), folder: folder}
	if err := ss.render(); err != nil {
		return nil, err
	}
	sources, rules := make([]string, len(t.Rules)), make([]string, len(t.Rules))
	for i, rule := range t.Rules {
		sources[i] = rule.Source.String()
		rules[i] = bs.ids.Of("rule " + sources[i] + ownOf(rule))
	}
	ss.kinds()
	r := &router{tables: t, blocks: bs, ids: &bs.ids, sources: sources, rules: rules, scopes: scopes, refused: &refused}
	r.columns.ids = &bs.ids
	if err := r.render(); err != nil {
		return nil, err
	}
	as := newActions(bs, clusters, newBackendTLS(folder, &g.options))
	if g.options.Bridge != "" {
		var err error
		if as.bridge, err = Token("unix:" + g.options.Bridge); err != nil {
			return nil, fmt.Errorf("the bridge's path %q: %w", g.options.Bridge, err)
		}
	}
	as.startClients(t)
	if t.HasHTTP() || t.HasWeb() {
		as.startHTTP(c.Version, len(g.options.TrustedProxies) > 0)
	}
	bs.failureMaps()
	for i, rule := range t.Rules {
		if err := as.rule(rules[i], rule, sources[i]); err != nil {
			refused.Rule(&rule.Source, err)
		}
	}
	if err := refused.OrNil(); err != nil {
		return nil, err
	}
	filled = append(filled, as.special()...)
	ordinary, err := Regex(model.OrdinaryPath)
	if err != nil {
		return nil, err
	}
	ambiguous, err := Regex(model.AmbiguousPath)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(as.splits, func(a, b Split) int { return strings.Compare(a.Name, b.Name) })
	slices.SortFunc(as.profiles.list, func(a, b Profile) int { return strings.Compare(a.Name, b.Name) })
	slices.SortFunc(bs.ordered, func(a, b Literal) int { return strings.Compare(a.Name, b.Name) })
	marker := ""
	if g.options.Marker != "" {
		if marker, err = Token("unix:" + g.options.Marker); err != nil {
			return nil, fmt.Errorf("the marker's path %q: %w", g.options.Marker, err)
		}
	}
	instance, err := g.options.InstanceOf(m)
	if err != nil {
		return nil, fmt.Errorf("the instance: %w", err)
	}
	callLog := ""
	if g.options.CallLog != "" {
		if callLog, err = Token(g.options.CallLog); err != nil {
			return nil, fmt.Errorf("the path of the calls' log %q: %w", g.options.CallLog, err)
		}
	}
	access, err := accessLog(g.options.AccessLog)
	if err != nil {
		return nil, err
	}
	resolver, err := g.resolver(filled)
	if err != nil {
		return nil, err
	}
	user, group, err := g.options.Workers(Token)
	if err != nil {
		return nil, err
	}
	return &View{
		DataVersion: generators.DataVersion,
		Resolver:    resolver, ResolverTimeout: fmt.Sprintf("%ds", ResolverTimeout/time.Second), Zone: zoneSize(m.Clusters),
		Generation: generators.GenerationMark, Version: c.Version, Limits: limits.Default.With(g.options.MaxStreams),
		ConnectionTime: connectionTime(c.Version, 0), IdleTimeout: idleTimeout, settings: ss.settings,
		Folder: folder, Marker: marker, CallLog: callLog, AccessLog: access,
		User: user, Group: group, Ciphers: generators.Ciphers,
		Prefixes: r.prefixes(), Warm: r.warm, Sizes: bs.sizes(len(as.splits), ss.names, ss.longName), Literals: bs.ordered, Maps: bs.maps(),
		Splits:    as.splits,
		Upstreams: filled, Profiles: as.profiles.list, Servers: ss.list, clientFiles: ss.clientFiles,
		Unscoped: !slices.ContainsFunc(ss.list, func(s Server) bool { return s.Scope != "" }), Failures: failures(),
		BackendTLS: tlsModules(as), Web: t.HasWeb(),
		Instance: instance, Loop: answers.Loop,
		Ambiguous: ambiguous, Ordinary: ordinary, HTTPFailures: httpFailures(), HTTP: g.http(as, t, c.Version),
		NoRule: answers.HTTPNoRule, TwoPaths: answers.HTTPAmbiguous, Hostless: answers.HTTPHostless, HTTPLoop: answers.HTTPLoop,
	}, nil
}

// http is what the templates see of HTTPRoutes.
func (g *Generator) http(as *actions, t *matching.Tables, v model.Version) *HTTPView {
	if !t.HasHTTP() && !t.HasWeb() {
		return nil
	}
	byName := func(a, b string) int { return strings.Compare(a, b) }
	slices.SortFunc(as.http.profiles, func(a, b HTTPProfile) int { return byName(a.Name, b.Name) })
	slices.SortFunc(as.http.cors, func(a, b Preflight) int { return byName(a.Name, b.Name) })
	return &HTTPView{
		Profiles: as.http.profiles, Preflights: as.http.cors, Trusted: g.options.TrustedProxies, Lingers: Lingers(v),
		Statuses: slices.Sorted(maps.Keys(as.http.statuses)), Redirects: slices.Sorted(maps.Keys(as.http.codes)),
		ConnectTime: milliseconds(connectTime), NextTime: milliseconds(nextTime),
	}
}

var _ generators.Generator = (*Generator)(nil)
