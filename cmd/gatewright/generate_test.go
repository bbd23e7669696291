package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gatewright/gatewright/controller/pipeline"
	"github.com/gatewright/gatewright/runtime/proxies"
	"github.com/gatewright/gatewright/test/harness"
)

func TestGenerate(t *testing.T) {
	out := filepath.Join(t.TempDir(), "out")
	args := []string{"generate", "-f", "-", "-o", out, "--proxy-version", "1.26.3"}

	_, stderr := must(t, exitFine, shop, args...)
	contains(t, "summary", stderr, "For nginx 1.26.3\n", "Gateway default/shop", "grpc  HTTP  *:8080  any host  1 route, 1 rule",
		"GatewayClass: the input has none", "Wrote "+out)
	if strings.Contains(stderr, "Not served") {
		t.Errorf("all is served:\n%s", stderr)
	}
	before, err := os.Stat(out)
	if err != nil {
		t.Fatal(err)
	}
	_, stderr = must(t, exitFine, shop, args...)
	contains(t, "again", stderr, out+" was up to date.")
	if after, err := os.Stat(out); err != nil || !os.SameFile(before, after) || !after.ModTime().Equal(before.ModTime()) {
		t.Errorf("equal bytes, and the folder was touched (%v)", err)
	}
	stdout, _ := must(t, exitFine, shop, append(args, "--check")...)
	if stdout != "" {
		t.Errorf("no drift: %s", stdout)
	}

	stdout, stderr = must(t, exitDrift, shop+missing, append(args, "--check")...)
	contains(t, "drift", stdout, "--- a/status.yaml\n+++ b/status.yaml\n@@ ", "\n+    name: reviews\n")
	contains(t, "drift", stderr, out+" differs from what these manifests give.")
	stdout, _ = must(t, exitFine, shop, append(args, "--check")...)
	if stdout != "" {
		t.Errorf("--check has written: %s", stdout)
	}

	_, stderr = must(t, exitRefused, shop+missing, args...)
	contains(t, "refused", stderr, "Not served", "GRPCRoute default/reviews, parentRef Gateway default/shop: ResolvedRefs (BackendNotFound)",
		"Wrote "+out)
	text, err := os.ReadFile(filepath.Join(out, "status.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	contains(t, "status.yaml", string(text), "name: reviews", "reason: BackendNotFound")
	must(t, exitRefused, shop+missing, append(args, "--check")...)
}

// TestWarnings: what is served as it is written is no refusal, though there is something to know of it.
func TestWarnings(t *testing.T) {
	text, err := os.ReadFile("../../test/cases/tls-overlapping-hostnames/in.yaml")
	if err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(t.TempDir(), "out")
	_, stderr := must(t, exitFine, string(text), "generate", "-f", "-", "-o", out, "--proxy-version", "1.26.3")
	contains(t, "summary", stderr, "Notes", `listener "exact": OverlappingTLSConfig: `)
	if strings.Contains(stderr, "Not served") {
		t.Errorf("all is served:\n%s", stderr)
	}
}

// TestClusterDomain is the end of the names that --backends dns gives.
func TestClusterDomain(t *testing.T) {
	args := []string{"generate", "-f", "-", "-o", "-", "--proxy-version", "1.26.3", "--backends", "dns"}
	stdout, _ := must(t, exitFine, shop, args...)
	contains(t, "the usual", stdout, "cart.default.svc.cluster.local:50051")
	stdout, _ = must(t, exitFine, shop, append(args, "--cluster-domain", "corp.example.")...)
	contains(t, "another", stdout, "cart.default.svc.corp.example:50051")
	_, stderr := must(t, exitError, shop, append(args, "--cluster-domain", "a b;")...)
	contains(t, "no name", stderr, "--cluster-domain", "DNS name")
}

func TestGenerateJSON(t *testing.T) {
	out := filepath.Join(t.TempDir(), "out")
	_, stderr := must(t, exitRefused, shop+missing, "generate", "-f", "-", "-o", out, "--log-format", "json")
	events := map[string]int{}
	for line := range strings.Lines(stderr) {
		var e struct{ Time, Level, Msg, Event, Reason string }
		if err := json.Unmarshal([]byte(line), &e); err != nil || e.Time == "" || e.Level == "" || e.Msg == "" {
			t.Errorf("line %q: %v", line, err)
		}
		events[e.Event]++
		if e.Event == "refused" && e.Reason != "BackendNotFound" {
			t.Errorf("refused: %s", line)
		}
	}
	if events["served"] != 1 || events["note"] == 0 || events["refused"] != 1 || events["done"] != 1 {
		t.Errorf("events: %v", events)
	}
	_, stderr = must(t, exitError, "kind: [", "generate", "-f", "-", "-o", out, "--log-format", "json")
	var e struct{ Level, Msg, Command string }
	if err := json.Unmarshal([]byte(stderr), &e); err != nil || e.Level != "ERROR" || e.Command != "gatewright generate" {
		t.Errorf("error as JSON: %q: %v", stderr, err)
	}
}

func TestGenerateVerbose(t *testing.T) {
	manifests := shop
	for i := range pipeline.ShownRefusals + 5 {
		manifests += strings.Replace(missing, "{name: reviews, namespace", fmt.Sprintf("{name: reviews-%d, namespace", i), 1)
	}
	_, stderr := must(t, exitRefused, manifests, "generate", "-f", "-", "-o", "-")
	contains(t, "short", stderr, "and 5 more: -v shows them")
	_, stderr = must(t, exitRefused, manifests, "generate", "-f", "-", "-o", "-", "-v")
	contains(t, "long", stderr, "Took load ")
	if got := strings.Count(stderr, "(BackendNotFound)"); got != pipeline.ShownRefusals+5 {
		t.Errorf("-v shows %d refusals", got)
	}
}

// TestNoSecretIsShown looks for a private key in everything that is printed and in the modes of the files.
func TestNoSecretIsShown(t *testing.T) {
	listener := "{name: grpc, protocol: HTTPS, port: 8443, tls: {certificateRefs: [{name: cert}]}}"
	tls := strings.Replace(shop, "{name: grpc, protocol: HTTP, port: 8080}", listener, 1)
	pair, other := harness.Certificate(t, "a.example.com"), harness.Certificate(t, "a.example.com")
	out := filepath.Join(t.TempDir(), "out")
	first := tls + "---\n" + harness.Secret("default", "cert", pair)
	second := tls + "---\n" + harness.Secret("default", "cert", other)
	var said strings.Builder
	for _, c := range []struct {
		code  int
		stdin string
		args  []string
	}{
		{exitFine, first, []string{"generate", "-f", "-", "-o", out, "-v"}},
		{exitDrift, second, []string{"generate", "-f", "-", "-o", out, "--check", "-v"}},
		{exitFine, second, []string{"generate", "-f", "-", "-o", "-", "--log-format", "json", "-v"}},
		{exitError, strings.Replace(second, "tls.key", "tls.kez", 1) + "broken: [", []string{"generate", "-f", "-", "-o", out}},
		{exitRefused, strings.Replace(second, "tls.key", "tls.kez", 1), []string{"generate", "-f", "-", "-o", "-"}},
		{exitFine, second, []string{"explain", "-f", "-", "--authority", "a.example.com", "--method", "shop.Cart/Add", "-o", "json", "-v"}},
		{exitFine, second, []string{"graph", "-f", "-", "-v"}},
	} {
		stdout, stderr := must(t, c.code, c.stdin, c.args...)
		said.WriteString(stdout + stderr)
	}
	contains(t, "--check", said.String(), "differs (it holds a private key and is not shown)")
	for _, p := range []harness.KeyPair{pair, other} {
		lines := strings.Split(strings.TrimSpace(string(p.Key)), "\n")
		for _, secret := range []string{"PRIVATE KEY", lines[1], base64.StdEncoding.EncodeToString(p.Key)[:40]} {
			if strings.Contains(said.String(), secret) {
				t.Errorf("%q is shown", secret)
			}
		}
	}
	keys := 0
	err := filepath.WalkDir(out, func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil || !strings.Contains(string(text), "PRIVATE KEY") {
			return err
		}
		keys++
		if info, err := e.Info(); err != nil || info.Mode() != 0o600 {
			t.Errorf("%s has mode %v (%v)", path, info.Mode(), err)
		}
		return nil
	})
	if err != nil || keys == 0 {
		t.Errorf("%d files with keys in the folder: %v", keys, err)
	}
}

// TestBridgeSecret: bridge.json is for its owner alone where a key is in it, and shown to nobody. Without a bridge the policy that needs one
// is refused by name.
func TestBridgeSecret(t *testing.T) {
	text, err := os.ReadFile("../../test/cases/backend-tls-bridge/in.yaml")
	if err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(t.TempDir(), "out")
	with := []string{"generate", "-f", "-", "--bridge-socket", "/run/gatewright/bridge.sock", "-o"}
	var said strings.Builder
	for _, args := range [][]string{
		append(with, out, "-v"), append(with, "-", "-v"), {"graph", "-f", "-"},
		{"explain", "-f", "-", "--authority", "calls.example.com", "--method", "names/Get", "-o", "json", "-v"},
	} {
		code, stdout, stderr := gatewright(string(text), args...)
		if code == exitError {
			t.Errorf("%v: %s", args, stderr)
		}
		said.WriteString(stdout + stderr)
	}
	contains(t, "-o -", said.String(), "==> bridge.json <==\n(it holds a private key")
	config, err := os.ReadFile(filepath.Join(out, "bridge.json"))
	if err != nil || !strings.Contains(string(config), "PRIVATE KEY") || strings.Contains(said.String(), "PRIVATE KEY") {
		t.Errorf("a key is shown, or isn't in the file: %v", err)
	}
	if info, err := os.Stat(filepath.Join(out, "bridge.json")); err != nil || info.Mode() != 0o600 {
		t.Errorf("mode %v (%v)", info.Mode(), err)
	}
	_, stderr := must(t, exitRefused, string(text), "generate", "-f", "-", "-o", out)
	contains(t, "no bridge", stderr, "spec.validation.subjectAltNames: no proxy can do that, and no bridge is named")
}

// TestGenerateUsers: workers run as whom the flags name; without them nothing is rendered, for HAProxy with a user
// starts as root only.
func TestGenerateUsers(t *testing.T) {
	out := filepath.Join(t.TempDir(), "out")
	for _, c := range []struct {
		proxy, file string
		args        []string
		code        int
		want, not   string
	}{
		{"nginx", "nginx.conf", nil, exitFine, "", "\nuser "},
		{"nginx", "nginx.conf", []string{"--user", "a b", "--group", "c"}, exitFine, "\nuser \"a b\" \"c\";\n", ""},
		{"haproxy", "haproxy.cfg", nil, exitFine, "", "    user "},
		{"haproxy", "haproxy.cfg", []string{"--user", "a'b", "--group", "c"}, exitFine, "    user 'a'\\''b'\n    group 'c'\n", ""},
		{"haproxy", "", []string{"--user", "no-such-user"}, exitError, "this host has no such user", ""},
		{"haproxy", "", []string{"--group", "c"}, exitError, "--group alone", ""},
		{"haproxy", "", []string{"--user", "a", "--group", "c", "--layout", "include"}, exitError, "--user is for --layout full", ""},
		{"haproxy", "", []string{"--user", "a\nb", "--group", "c"}, exitError, "the user: ", ""},
	} {
		args := append([]string{"generate", "-f", "-", "-o", out + c.proxy, "--proxy", c.proxy}, c.args...)
		_, text := must(t, c.code, shop, args...)
		if c.file != "" {
			data, err := os.ReadFile(filepath.Join(out+c.proxy, c.file))
			if err != nil {
				t.Fatal(err)
			}
			text = string(data)
		}
		contains(t, strings.Join(args, " "), text, c.want)
		if c.not != "" && strings.Contains(text, c.not) {
			t.Errorf("%v: there is %q in\n%s", args, c.not, text)
		}
	}
}

// TestCallOnceFlag is refused where a version can't keep it (R40).
func TestCallOnceFlag(t *testing.T) {
	args := []string{"generate", "-f", "-", "-o", filepath.Join(t.TempDir(), "out"), "--call-once", "--proxy", "haproxy", "--proxy-version"}
	_, stderr := must(t, exitError, shop, append(args, "2.6.12")...)
	contains(t, "2.6", stderr, "--call-once can't be kept: HAProxy 2.6.12", "3.0.0 or later")
	must(t, exitFine, shop, append(args, "3.0.11")...)
	text, err := os.ReadFile(filepath.Join(args[4], "haproxy.cfg"))
	if err != nil {
		t.Fatal(err)
	}
	contains(t, "haproxy.cfg", string(text), " pool-max-conn 0 pool-conn-name uuid()")
}

// TestTemplates: one that is broken ends a command at its start, with its place and what to do; one that fails with an
// object costs that object.
func TestTemplates(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	out := filepath.Join(t.TempDir(), "out")
	for _, proxy := range proxies.Names() {
		args := func(command string) []string {
			args := []string{command, "-f", "-", "--proxy", proxy, "--templates", dir}
			if command == "generate" {
				return append(args, "-o", out)
			}
			return args
		}
		name := map[string]string{"nginx": "upstreams.conf.tmpl", "haproxy": "backend.tmpl"}[proxy]
		for text, want := range map[string]string{
			"one\n{{if}}":           "template: " + name + ":2: missing value for if",
			"{{.Comments}}":         "can't evaluate field Comments",
			"{{index .Servers 99}}": "",
		} {
			write(filepath.Join(proxy, name), text)
			_, stderr := must(t, exitError, shop, args("generate")...)
			contains(t, proxy, stderr, "--templates "+dir+": ", want, name+":",
				"mend the template, or remove its file so that the built-in one is taken")
			if _, err := os.Stat(out); err == nil {
				t.Errorf("%s: something was written", proxy)
			}
		}
		if err := os.Remove(filepath.Join(dir, proxy, name)); err != nil {
			t.Fatal(err)
		}
	}
	_, stderr := must(t, exitError, shop, "generate", "-f", "-", "-o", out, "--templates", dir)
	contains(t, "no template", stderr, "there is no template in it: they are files ")

	// It works for all but one Service.
	for proxy, text := range map[string]string{
		"nginx":   `{{range .Upstreams}}{{if eq .Service "Service default/reviews port 50051"}}{{index .Servers 99}}{{end}}{{end}}`,
		"haproxy": `{{if eq .Comment "Service default/reviews port 50051"}}{{index .Servers 99}}{{end}}`,
	} {
		name := map[string]string{"nginx": "upstreams.conf.tmpl", "haproxy": "backend.tmpl"}[proxy]
		write(filepath.Join(proxy, name), text)
		manifests := shop + missing + "---\n" + harness.Service("default", "reviews", 50051) + `---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: reviews, labels: {kubernetes.io/service-name: reviews}}
addressType: IPv4
ports: [{name: p50051, port: 50051}]
endpoints: [{addresses: ["192.0.2.7"]}]
`
		_, stderr := must(t, exitRefused, manifests, "generate", "-f", "-", "-o", "-", "--proxy", proxy, "--templates", dir)
		contains(t, proxy, stderr, "GRPCRoute default/reviews", "index out of range: 99")
		if strings.Contains(stderr, "GRPCRoute default/cart") {
			t.Errorf("%s: cart is refused too:\n%s", proxy, stderr)
		}
	}
}
