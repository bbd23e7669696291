package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/gatewright/gatewright/generators/model"
	"github.com/gatewright/gatewright/runtime/proxies"
)

// shop is a Gateway with a route to a Service that has one endpoint.
const shop = `
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: shop, namespace: default}
spec:
  gatewayClassName: any
  listeners:
  - {name: grpc, protocol: HTTP, port: 8080}
---
apiVersion: gateway.networking.k8s.io/v1
kind: GRPCRoute
metadata: {name: cart, namespace: default}
spec:
  parentRefs: [{name: shop}]
  rules:
  - matches:
    - method: {service: shop.Cart}
    backendRefs: [{name: cart, port: 50051}]
---
apiVersion: v1
kind: Service
metadata: {name: cart, namespace: default}
spec:
  ports: [{port: 50051}]
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: cart-1, namespace: default, labels: {kubernetes.io/service-name: cart}}
addressType: IPv4
ports: [{port: 50051}]
endpoints: [{addresses: ["192.0.2.1"]}]
`

// missing is a route of shop's Gateway to a Service that doesn't exist.
const missing = `
---
apiVersion: gateway.networking.k8s.io/v1
kind: GRPCRoute
metadata: {name: reviews, namespace: default}
spec:
  parentRefs: [{name: shop}]
  rules:
  - matches:
    - method: {service: shop.Reviews}
    backendRefs: [{name: reviews, port: 50051}]
`

// gatewright runs the program with some text as stdin.
func gatewright(stdin string, args ...string) (code int, stdout, stderr string) {
	var out, errs bytes.Buffer
	code = run(args, strings.NewReader(stdin), &out, &errs)
	return code, out.String(), errs.String()
}

// must fails the test when a command's exit code isn't the one wanted.
func must(t *testing.T, want int, stdin string, args ...string) (stdout, stderr string) {
	t.Helper()
	code, stdout, stderr := gatewright(stdin, args...)
	if code != want {
		t.Fatalf("gatewright %s: exit code %d, want %d\n%s%s", strings.Join(args, " "), code, want, stdout, stderr)
	}
	return stdout, stderr
}

func contains(t *testing.T, what, text string, want ...string) {
	t.Helper()
	for _, w := range want {
		if !strings.Contains(text, w) {
			t.Errorf("%s: no %q in\n%s", what, w, text)
		}
	}
}

func TestBadInput(t *testing.T) {
	dir := t.TempDir()
	good, empty, foreign, loop := filepath.Join(dir, "good.yaml"), filepath.Join(dir, "empty.yaml"), filepath.Join(dir, "foreign"),
		filepath.Join(dir, "loop")
	open := filepath.Join(dir, "open")
	err := errors.Join(
		os.WriteFile(good, []byte(shop), 0o644), os.WriteFile(empty, nil, 0o644), os.Mkdir(foreign, 0o755),
		os.WriteFile(filepath.Join(foreign, "precious"), []byte("x"), 0o644), os.Symlink("loop", loop),
		os.Mkdir(open, 0o700), os.Chmod(open, 0o777),
	)
	if err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(dir, "out")
	for _, c := range []struct{ args, stdin, want string }{
		{"generate", "", "no output folder: name it with -o DIR"},
		{"generate -o " + out, "", "no manifests: name them with -f FILE"},
		{"generate -f " + good + " -o " + good, "", "it is a file: name a folder"},
		{"generate -f " + good + " -o " + good + " --check", "", "it is a file: name a folder"},
		{"generate -f " + good + " -o " + good + "/below", "", "not a directory"},
		{"generate -f " + good + " -o " + foreign, "", "it holds precious, and nothing in it says that gatewright wrote it"},
		{"generate -f " + good + " -o - --check", "", "--check compares with a folder"},
		{"generate -f " + dir + "/nowhere -o " + out, "", "nowhere"},
		{"generate -f " + empty + " -o " + out, "", "empty.yaml"},
		{"generate -f " + loop + " -o " + out, "", "loop"},
		{"generate -f - -o " + out, "kind: [", "stdin"},
		{"generate -f - -o " + out, strings.Replace(shop, "protocol: HTTP,", "protocl: HTTP,", 1), "protocl"},
		{"generate -f " + good + " -o " + out + " --templates " + dir + "/nowhere", "", "--templates"},
		{"generate -f " + good + " -o " + out + " --templates " + good, "", "it is a file: name the folder of the templates"},
		{"generate -f " + good + " -o " + out + " --proxy-version new", "", "--proxy-version"},
		{"generate -f " + good + " -o " + out + " --proxy-version 1.26.3 --proxy-binary nginx", "", "exclude each other"},
		{"generate -f " + good + " -o " + out + " --proxy-binary " + dir + "/nowhere", "", "nowhere"},
		{"generate -f " + good + " -o " + out + " --proxy-binary /bin/true", "", "/bin/true"},
		{"generate -f " + good + " -o " + out + " --proxy caddy", "", "it must be nginx"},
		{"generate -f " + good + " -o " + out + " --layout half", "", "it must be full or include"},
		{"generate -f " + good + " -o " + out + " --backends magic", "", "it must be endpoints, dns or clusterip"},
		{"generate -f " + good + " -o " + out + " --log-format xml", "", "it must be text or json"},
		{"generate -f " + good + " -o " + out + " --frob", "", "unknown flag: --frob"},
		{"generate -f " + good + " -o " + out + " more", "", `unknown command "more"`},
		{"generate -f " + good + " -o " + out + " --gateway-class nobody", "", "nobody"},
		{"frobnicate", "", `unknown command "frobnicate"`},
		{"explain -f " + good + " --method a/b", "", "no host: name it with --authority HOST"},
		{"explain -f " + good + " --authority a", "", "want SERVICE/METHOD"},
		{"explain -f " + good + " --authority a --method a", "", "want SERVICE/METHOD"},
		{"explain -f " + good + " --authority a --method a/b -H c", "", "want NAME=VALUE"},
		{"explain -f " + good + " --authority a --method a/b -o dot", "", "it must be text, json or yaml"},
		{"bridge", "", "no configuration: name it with --config FILE"},
		{"bridge --config a.json", "", "no socket: name it with --socket PATH"},
		{"bridge --config a.json --socket " + dir + "/s --status " + dir + "/s", "", "the same socket"},
		{"bridge --config a.json --socket " + dir + "/nowhere/s", "", "its folder"},
		{"bridge --config a.json --socket " + good + "/s", "", "is not a folder"},
		{"bridge --config a.json --socket " + good, "", "it is not a socket: move it away"},
		{"bridge --config a.json --socket " + dir + "/" + strings.Repeat("x", 100), "", "at most"},
		{"bridge --config a.json --socket " + open + "/s", "", "others may write to"},
		{"bridge --config a.json --socket " + dir + "/s --socket-user no-such-user", "", "no-such-user"},
		{"bridge --config a.json --socket " + dir + "/s --drain -1s", "", "less than nothing"},
		{"graph -f " + good + " -o text", "", "it must be mermaid or dot"},
		{"graph", "", "no manifests"},
		{"capabilities --proxy-version 1", "", "--proxy-version"},
	} {
		code, stdout, stderr := gatewright(c.stdin, strings.Fields(c.args)...)
		if code != exitError || !strings.Contains(stderr, c.want) || stdout != "" {
			t.Errorf("gatewright %s: exit code %d, want %d and %q on stderr only; stdout %q, stderr:\n%s", c.args, code, exitError, c.want, stdout,
				stderr)
		}
	}
	if _, err := os.Lstat(out); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("an error left %s behind: %v", out, err)
	}
}

// TestFlagsMeanTheSame holds a flag to one meaning wherever it occurs; -o is a folder for generate, --config one of a folder's
// files for reload.
func TestFlagsMeanTheSame(t *testing.T) {
	usage := map[string]string{}
	count := 0
	for _, cmd := range newRoot(&logOptions{}).Commands() {
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			count++
			if f.Name == "output" || f.Name == "help" || f.Name == "check" || f.Name == "config" || f.Hidden {
				return
			}
			if seen, ok := usage[f.Name]; ok && seen != f.Usage {
				t.Errorf("--%s is %q and %q", f.Name, seen, f.Usage)
			}
			usage[f.Name] = f.Usage
		})
	}
	if count < 20 {
		t.Errorf("only %d flags were looked at", count)
	}
}

func TestHelp(t *testing.T) {
	var walk func(cmd *cobra.Command)
	walk = func(cmd *cobra.Command) {
		stdout, _ := must(t, exitFine, "", append(strings.Fields(cmd.CommandPath())[1:], "--help")...)
		contains(t, cmd.CommandPath()+" --help", stdout, "Usage:\n  "+cmd.CommandPath())
		for _, sub := range cmd.Commands() {
			walk(sub)
		}
	}
	root := newRoot(&logOptions{})
	walk(root)
	stdout, _ := must(t, exitFine, "")
	contains(t, "gatewright", stdout, "generate", "explain", "graph", "capabilities")
	stdout, _ = must(t, exitFine, "", "--version")
	contains(t, "gatewright --version", stdout, "gatewright ", "go1.")
}

func TestCapabilities(t *testing.T) {
	stdout, stderr := must(t, exitFine, "", "capabilities", "--proxy-version", "1.22.1")
	contains(t, "text", stdout, "nginx 1.22.1 (stated)", "Resolve      no", "because nginx 1.22.1 is too old",
		"so a change of endpoints needs a reload")
	if stderr != "" {
		t.Errorf("a stated version needs no note: %s", stderr)
	}
	stdout, stderr = must(t, exitFine, "", "capabilities", "-o", "json")
	contains(t, "note", stderr, "taking nginx 1.26.3")
	var d proxies.Description
	if err := json.Unmarshal([]byte(stdout), &d); err != nil {
		t.Fatal(err)
	}
	if d.Proxy != "nginx" || d.Version.String() != "1.26.3" || len(d.Features) != len(model.Features) || !d.Features[0].Has {
		t.Errorf("JSON: %+v", d)
	}
	stdout, _ = must(t, exitFine, "", "capabilities", "-o", "yaml")
	contains(t, "yaml", stdout, "proxy: nginx", "- has: true")
}
