package proxies

import (
	"context"
	"errors"
	"reflect"

	"log/slog"
	"os"
	"os/user"
	"strings"
	"testing"

	"github.com/gatewright/gatewright/generators"
	"github.com/gatewright/gatewright/generators/model"
	"github.com/gatewright/gatewright/runtime/apply"
)

// TestKinds holds every kind in the list to be complete.
func TestKinds(t *testing.T) {
	files := map[string]string{}
	for _, k := range Kinds {
		if Named(k.Name) != k {
			t.Errorf("%s is another one by its name", k.Name)
		}
		if k.Generator == nil || k.Stated == nil || k.Asked == nil || k.Run == nil || k.join == nil || k.MainFile == "" || k.Marker == "" {
			t.Errorf("%s has no %+v", k.Name, k)
		}
		for _, file := range []string{k.Marker, k.Calls, k.MainFile} {
			if other, ok := files[file]; ok && file != "" {
				t.Errorf("%s and %s have the same file %s", k.Name, other, file)
			}
			files[file] = k.Name
		}
		caps := k.Stated(k.Usual)
		if !caps.Has(model.FeatureHTTP2) || !caps.Has(model.FeatureGRPC) {
			t.Errorf("%s %s serves no gRPC: %v", k.Name, k.Usual, caps.Missing)
		}
		if _, err := k.Generator(generators.Options{}).Render(model.Examples(false)[0], caps); err != nil {
			t.Errorf("%s: %v", k.Name, err)
		}
	}
	if Named("caddy") != nil || len(Names()) != len(Kinds) {
		t.Errorf("names: %v", Names())
	}
}

func TestCapabilities(t *testing.T) {
	asked := &Kind{Name: "x", Usual: model.Version{Major: 1, Minor: 2, Patch: 3},
		Stated: func(v model.Version) model.Capabilities { return model.Capabilities{Proxy: "x", Version: v} },
		Asked: func(_ context.Context, binary string) (model.Capabilities, error) {
			return model.Capabilities{Proxy: binary}, nil
		}}
	for _, c := range []struct{ binary, version, proxy, is, note, err string }{
		{"", "", "x", "1.2.3", "taking x 1.2.3", ""},
		{"", "4.5.6", "x", "4.5.6", "", ""},
		{"/bin/x", "", "/bin/x", "0.0.0", "", ""},
		{"", "new", "", "", "", "--proxy-version"},
		{"/bin/x", "4.5.6", "", "", "", "exclude each other"},
	} {
		caps, note, err := asked.Capabilities(context.Background(), c.binary, c.version)
		switch {
		case c.err != "":
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("%+v: error %v", c, err)
			}
		case err != nil || caps.Proxy != c.proxy || caps.Version.String() != c.is,
			!strings.HasPrefix(note, c.note) || (note == "") != (c.note == ""):
			t.Errorf("%+v: %+v, note %q, error %v", c, caps, note, err)
		}
	}
}

func TestDescribe(t *testing.T) {
	for _, f := range model.Features {
		if featureTexts[f].is == "" || featureTexts[f].without == "" {
			t.Errorf("feature %s has no text", f)
		}
	}
	for _, k := range Kinds {
		d := Describe(k.Stated(k.Usual))
		var text strings.Builder
		if err := d.Text(&text); err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(text.String(), k.Name+" "+k.Usual.String()) || len(d.Features) != len(model.Features) {
			t.Errorf("%s: %s", k.Name, text.String())
		}
		if notes := FaultNotes(k.Stated(k.Usual)); len(notes) != len(d.Faults) {
			t.Errorf("%s: %d notes of %d faults", k.Name, len(notes), len(d.Faults))
		}
	}
}

func TestServing(t *testing.T) {
	all := Named("nginx").Stated(model.Version{Major: 1, Minor: 30})
	old := Named("haproxy").Stated(model.Version{Major: 2, Minor: 6})
	for _, c := range []struct {
		serving Serving
		layout  generators.Layout
		caps    model.Capabilities
		want    string
	}{
		{Serving{}, generators.LayoutFull, all, ""},
		{Serving{User: "a", Group: "b", Instance: "c", Bridge: "/b", MaxStreams: 7, SystemAuthorities: "/d"}, generators.LayoutFull, all, ""},
		{Serving{Group: "b"}, generators.LayoutFull, all, "--group alone"},
		{Serving{User: "a", Group: "b"}, generators.LayoutInclude, all, "--layout full"},
		{Serving{User: "no-such-user"}, generators.LayoutFull, all, "no such user"},
		{Serving{SystemAuthorities: "d"}, generators.LayoutFull, all, "--system-ca"},
		{Serving{Instance: "no name"}, generators.LayoutFull, all, "--instance"},
		{Serving{CallOnce: true}, generators.LayoutFull, old, "--call-once can't be kept"},
	} {
		g := generators.Options{Layout: c.layout}
		err := c.serving.Fill(&g, c.caps)
		if c.want != "" {
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%+v: error %v", c.serving, err)
			}
			continue
		}
		got := Serving{User: g.User, Group: g.Group, CallOnce: g.CallOnce, Instance: g.Instance, TrustedProxies: g.TrustedProxies, Bridge: g.Bridge,
			MaxStreams: g.MaxStreams, SystemAuthorities: g.SystemAuthorities}
		if g.AccessLog != nil {
			got.AccessLog, got.AccessLogFormat = string(g.AccessLog.Target), g.AccessLog.Format
		}
		if err != nil || !reflect.DeepEqual(got, c.serving) {
			t.Errorf("%+v: %+v, error %v", c.serving, got, err)
		}
	}
	for target, good := range map[string]bool{"": true, "off": true, "stderr": true, "/var/log/calls": true, "syslog:127.0.0.1:514": true,
		"syslog:unix:/dev/log": true, "calls": false, "syslog:": false, "syslog:host": false, "syslog:unix:log": false} {
		if err := (Serving{MaxStreams: 1, AccessLog: target}).Check(); (err == nil) != good {
			t.Errorf("--access-log %q: %v", target, err)
		}
	}
	for streams, good := range map[int]bool{0: false, 1: true, -1: false, 1 << 40: false} {
		if err := (Serving{MaxStreams: streams}).Check(); (err == nil) != good {
			t.Errorf("%d streams: %v", streams, err)
		}
	}
}

// TestServingHere: who has started a proxy decides whom its workers run as, unless somebody says it.
func TestServingHere(t *testing.T) {
	me, err := user.Current()
	if err != nil {
		t.Fatalf("who runs this test: %v", err)
	}
	log := slog.New(slog.DiscardHandler)
	k := &Kind{Users: []string{"no-such-user", me.Username}}
	var g generators.Options
	if err := (Serving{}).FillHere(&g, k, model.Capabilities{}, true, log); err != nil || g.User != "" {
		t.Errorf("joined: %q, %v", g.User, err)
	}
	if err := (Serving{}).FillHere(&g, k, model.Capabilities{}, false, log); err != nil || (g.User != "") != changesUser() {
		t.Errorf("started: %q, %v, and whether it may change users: %v", g.User, err, changesUser())
	}
	err = Serving{User: me.Username, Group: "no-such-group"}.FillHere(&g, k, model.Capabilities{}, true, log)
	if err == nil || !strings.Contains(err.Error(), "no such group") {
		t.Errorf("no such group: %v", err)
	}
}

// running is a Runner that fails the test when it is started or told anything.
type running struct {
	*testing.T
	closed bool
}

func (r *running) Generation([]generators.File) (string, error)  { return "its own", nil }
func (r *running) Running(context.Context) (string, error)       { return "before", nil }
func (r *running) Validate(context.Context, string) error        { return &apply.Refusal{Message: "no"} }
func (r *running) ValidateFile(context.Context, string) error    { return nil }
func (r *running) Reload(_ context.Context, _, gen string) error { return r.touched("reload " + gen) }
func (r *running) Start(context.Context, string) error           { return r.touched("start") }
func (r *running) Shutdown(context.Context) error                { return r.touched("shutdown") }
func (r *running) Signal(os.Signal) error                        { return r.touched("signal") }
func (r *running) touched(how string) error {
	r.Error(how)
	return nil
}

func (r *running) Close() error {
	r.closed = true
	return nil
}

// TestDry: a dry run asks the proxy about a configuration and does nothing else with it.
func TestDry(t *testing.T) {
	proxy := &running{T: t}
	pace := apply.Hooks{Prepare: func(apply.Configuration) { t.Error("prepared") }}
	d := Dry(&Runtime{Runner: proxy, Hooks: pace, Resolver: "127.0.0.1:53"})
	ctx := context.Background()
	if _, err := d.Running(ctx); !errors.Is(err, ErrDryRun) {
		t.Errorf("before: %v", err)
	}
	err := errors.Join(d.Start(ctx, "a"), d.Reload(ctx, "", "b"), d.Signal(nil), d.Shutdown(ctx))
	if generation, running := d.Running(ctx); err != nil || running != nil || generation != "b" {
		t.Errorf("afterwards: %q, %v, %v", generation, running, err)
	}
	var refusal *apply.Refusal
	if err := d.Validate(ctx, ""); !errors.As(err, &refusal) {
		t.Errorf("the check: %v", err)
	}
	if d.Hooks.Prepare != nil || d.Resolver == "" {
		t.Errorf("%+v", d)
	}
	if err := d.Close(); err != nil || !proxy.closed {
		t.Errorf("closed: %v, %v", proxy.closed, err)
	}
}

// TestJoinedGeneration: files that tell the generation at this marker have their own; all others, the hash of all.
func TestJoinedGeneration(t *testing.T) {
	j := &Joined{validating: &running{T: t}, marker: "/state/nginx.sock"}
	seen := map[string]string{}
	for name, files := range map[string][]generators.File{
		"marked":  {{Path: "nginx.conf", Data: []byte("listen unix:/state/nginx.sock;")}},
		"plain":   {{Path: "nginx.conf", Data: []byte("events {}")}},
		"other":   {{Path: "nginx.conf", Data: []byte("events { }")}},
		"renamed": {{Path: "main.conf", Data: []byte("events {}")}},
		"rights":  {{Path: "nginx.conf", Data: []byte("events {}"), Access: &generators.Access{Mode: 0o600}}},
	} {
		generation, err := j.Generation(files)
		if err != nil || (generation == "its own") != (name == "marked") || strings.HasPrefix(generation, foreign) == (name == "marked") {
			t.Errorf("%s: %q, %v", name, generation, err)
		}
		if other, ok := seen[generation]; ok {
			t.Errorf("%s and %s are the same", name, other)
		}
		seen[generation] = name
	}
}
