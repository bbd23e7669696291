package haproxy

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"
	"sync"
	"text/template"

	"github.com/gatewright/gatewright/generators"
	"github.com/gatewright/gatewright/generators/limits"
	"github.com/gatewright/gatewright/generators/matching"
	"github.com/gatewright/gatewright/generators/model"
	"github.com/gatewright/gatewright/templates"
)

// Generator renders HAProxy configurations.
type Generator struct {
	options generators.Options
	// templates parses them, once.
	templates func() (*template.Template, error)
}

// New returns a generator with options. With generators.LayoutInclude, haproxy.cfg of Options.Folder is a
// second -f file; paths in it begin with the folder's name, so they are relative to where a team's own
// default-path points.
func New(o generators.Options) *Generator {
	return &Generator{o, sync.OnceValues(func() (*template.Template, error) { return templates.Parse("haproxy", o.Templates) })}
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
	// StreamsKeyword sets the number of streams of a client's connection.
	StreamsKeyword string
	// KeepsMemory says that the version can be told how much memory its threads keep.
	KeepsMemory bool
	// Full says that the file is one to start from.
	Full bool
	// Folder is "" or ends in a slash: what paths begin with.
	Folder string
	// Marker is the address of the unix socket where the generation is told, or "". Live says that it is told
	// from live.map, and CLI is the path of the socket that takes commands then.
	Marker, CLI string
	Live        bool
	// User and Group are words for who the workers run as, or both "".
	User, Group string
	// TLS says that HAProxy was built with it.
	TLS bool
	// NoSessions says that no TLS session may be resumed.
	NoSessions bool
	// Observe, Reuse and Balance are settings of all backends.
	Observe, Reuse, Balance string
	// Errors are the HTTP statuses that HAProxy answers by itself.
	Errors []int
	// Clients are key pairs that are shown to servers, where HAProxy has to read them for something else before it finds them for
	// those: it looks for them in the folder that it was started in.
	Clients []string
	// ByServerName says that some frontend has ServerNames.
	ByServerName bool
	Frontends    []Frontend
	Sections     []Section
	// Spares are sections for Services that come while HAProxy runs.
	Spares []Section
}

// Render returns the files of a configuration, sorted by path.
func (g *Generator) Render(m model.Gateways, c model.Capabilities) ([]generators.File, error) {
	return g.render(m, matching.Compile(m), c)
}

func (g *Generator) render(m model.Gateways, t *matching.Tables, c model.Capabilities) ([]generators.File, error) {
	view, files, err := g.view(m, t, c)
	if err != nil {
		return nil, fmt.Errorf("haproxy: %w", err)
	}
	parsed, err := g.templates()
	if err != nil {
		return nil, fmt.Errorf("haproxy: %w", err)
	}
	var b bytes.Buffer
	if err := parsed.ExecuteTemplate(&b, "haproxy.cfg.tmpl", view); err != nil {
		return nil, fmt.Errorf("haproxy: %w", err)
	}
	if err := asksClients(b.Bytes(), view.Frontends); err != nil {
		return nil, fmt.Errorf("haproxy: %w", err)
	}
	if err := keepsAlive(b.Bytes(), view.Frontends); err != nil {
		return nil, fmt.Errorf("haproxy: %w", err)
	}
	files = append(files, generators.File{Path: "haproxy.cfg", Data: b.Bytes()})
	files = append(files, tlsFiles(&m)...)
	listeners := listenersPairs(&m)
	for i := range m.KeyPairs {
		p := &m.KeyPairs[i]
		if !listeners[p.Name] {
			continue
		}
		files = append(files, generators.File{Path: pairPath(p.Name), Data: pairData(p), Secret: true})
	}
	generators.Sort(files)
	return generators.Stamp(files), nil
}

// view works out all that the templates print, and makes all other files.
func (g *Generator) view(m model.Gateways, t *matching.Tables, c model.Capabilities) (*View, []generators.File, error) {
	folder, err := g.folder()
	if err != nil {
		return nil, nil, err
	}
	live := g.options.Marker != "" && g.options.Layout != generators.LayoutInclude
	var side sides
	if live {
		side = twoSides
	}
	var refused generators.Refusals
	ts := newTargets(m.Clusters, side, c.Version, &refused)
	ts.sections.tls = &backendTLS{folder, cmp.Or(g.options.SystemAuthorities, systemAuthorities)}
	ts.sections.once = func(cluster *model.Cluster) bool {
		return (cluster.CallOnce || g.options.CallOnce) && c.Has(model.FeatureCallOnce)
	}
	if g.options.Bridge != "" {
		if ts.sections.bridge, err = Arg("unix@" + g.options.Bridge); err != nil {
			return nil, nil, fmt.Errorf("the bridge's path %q: %w", g.options.Bridge, err)
		}
	}
	targets := make([]string, len(t.Rules))
	for i, rule := range t.Rules {
		if targets[i], err = ts.of(rule); err != nil {
			refused.Rule(&rule.Source, err)
		}
	}
	rs := newRoutes(t, targets, side, &refused)
	if err := refused.OrNil(); err != nil {
		return nil, nil, err
	}
	http := live || hasHTTP(t) || t.HasWeb()
	files := rs.files(ts, http)
	fs, err := newFrontends(m, t, rs, folder, len(ts.drawn) > 0, c.Version)
	if err != nil {
		return nil, nil, err
	}
	fs.http, fs.used, fs.trusted, fs.include = http, ts.used, g.options.TrustedProxies, g.options.Layout == generators.LayoutInclude
	fs.access = g.options.AccessLog
	if fs.instance, err = g.options.InstanceOf(m); err != nil {
		return nil, nil, fmt.Errorf("the instance: %w", err)
	}
	view := &View{
		DataVersion: generators.DataVersion,
		Generation:  generators.GenerationMark, Version: c.Version, StreamsKeyword: streamsKeyword(c.Version),
		KeepsMemory: c.Version.AtLeast(3, 0, 0), Limits: limits.Default.With(g.options.MaxStreams),
		Full: g.options.Layout != generators.LayoutInclude, Folder: folder,
		TLS: c.Has(model.FeatureTLS), Observe: observed(c.Version), Reuse: "safe", Balance: balance(c.Version, live),
		NoSessions: t.ValidatesClients(), Sections: ts.sections.list(),
	}
	if view.User, view.Group, err = g.options.Workers(Arg); err != nil {
		return nil, nil, err
	}
	for _, f := range failures {
		view.Errors = append(view.Errors, f.status)
	}
	for i := range t.Ports {
		f, err := fs.of(&t.Ports[i])
		if err != nil {
			return nil, nil, fmt.Errorf("port %d of Gateway %s: %w", t.Ports[i].Port, t.Ports[i].Listeners[0].Gateway, err)
		}
		view.Frontends = append(view.Frontends, *f)
		view.ByServerName = view.ByServerName || f.ServerNames != nil
	}
	view.Clients = clientPaths(&m, c.Version, folder)
	if g.options.Marker != "" {
		if view.Marker, err = Arg("unix@" + g.options.Marker); err != nil {
			return nil, nil, fmt.Errorf("the marker's path %q: %w", g.options.Marker, err)
		}
	}
	if live {
		if view.CLI, err = Arg(CLI(g.options.Marker)); err != nil {
			return nil, nil, fmt.Errorf("the path %q of the socket for commands: %w", CLI(g.options.Marker), err)
		}
		view.Live, view.Spares = true, spareSections()
		files = append(files, liveFile())
	}
	return view, append(append(files, fs.files...), errorFiles(http)...), nil
}

// hasHTTP says whether there are HTTPRoutes.
func hasHTTP(t *matching.Tables) bool {
	return slices.ContainsFunc(t.Scopes, func(s matching.Scope) bool { return s.Kind == model.HTTPRoute })
}

// observed are the failures that an endpoint is left for. From 3.1 on HAProxy takes a refused HTTP/2
// connection for a failed answer, and only layer 7 sees those; a call that an endpoint resets counts there
// too, so it takes two of them.
func observed(v model.Version) string {
	if v.AtLeast(3, 1, 0) {
		return "layer7 error-limit 2"
	}
	return "layer4 error-limit 1"
}

// streamsKeyword is the setting for clients' connections. Before 3.0 there is one for both sides.
func streamsKeyword(v model.Version) string {
	if v.AtLeast(3, 0, 0) {
		return "tune.h2.fe.max-concurrent-streams"
	}
	return "tune.h2.max-concurrent-streams"
}

// balance is how calls are spread over endpoints. Versions that put a server in a wrong place of leastconn's lists when
// it is added while HAProxy runs get another way there.
func balance(v model.Version, live bool) string {
	if live && leastconn.In(v) {
		return "roundrobin"
	}
	return "leastconn"
}

// folder is what paths begin with.
func (g *Generator) folder() (string, error) {
	if g.options.Layout != generators.LayoutInclude || g.options.Folder == "" {
		return "", nil
	}
	if strings.ContainsAny(g.options.Folder, "\\\"'$;{}(),# \t\r\n") {
		return "", fmt.Errorf("the folder's name %q has characters that HAProxy's configuration doesn't take literally", g.options.Folder)
	}
	return strings.TrimSuffix(g.options.Folder, "/") + "/", nil
}

// files are the map files that all ports share; HAProxy wants one that no line uses no less than others.
func (r *routes) files(ts *targets, http bool) []generators.File {
	routes, matches := sorted(r.routes), sorted(r.matches)
	var parents mapFile
	for i := range r.tables.Scopes {
		if p := r.tables.Scopes[i].Parent; p >= 0 && r.scopes[i] != "" {
			parents.add(r.scopes[i]+r.sides.suffix, r.scopes[p])
		}
	}
	type named struct {
		path string
		file *mapFile
	}
	list := []named{
		{"routes.map", &routes}, {"matches.map", &matches}, {"regexes.map", &r.regexes},
		{"weights.map", &ts.weights}, {"parents.map", &parents},
	}
	if http {
		prefixes := sorted(r.prefixes)
		list = append(list, named{PrefixesMap, &prefixes}, named{"cors.map", &ts.cors})
	}
	files := make([]generators.File, len(list))
	for i, m := range list {
		files[i] = m.file.file(m.path)
	}
	return files
}

var _ generators.Generator = (*Generator)(nil)
