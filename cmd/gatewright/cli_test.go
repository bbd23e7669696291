package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/gatewright/gatewright/controller/status"
)

// TestEnv: a variable stands in for a flag, which beats it; a mistyped one is told, and those that Kubernetes sets aren't.
func TestEnv(t *testing.T) {
	t.Setenv("GATEWRIGHT_PROXY", "haproxy")
	t.Setenv("GATEWRIGHT_PROXI", "haproxy")
	t.Setenv("GATEWRIGHT_PORT", "tcp://10.0.0.1:80")
	t.Setenv("GATEWRIGHT_PORT_80_TCP_ADDR", "10.0.0.1")
	t.Setenv("GATEWRIGHT_SERVICE_HOST", "10.0.0.1")
	stdout, stderr := must(t, exitFine, "", "capabilities")
	contains(t, "variable", stdout, "haproxy ")
	contains(t, "mistyped", stderr, "the variable GATEWRIGHT_PROXI stands for no flag and changes nothing; did you mean GATEWRIGHT_PROXY?")
	if strings.Contains(stderr, "SERVICE_HOST") || strings.Contains(stderr, "GATEWRIGHT_PORT") {
		t.Errorf("variables of Kubernetes are told of:\n%s", stderr)
	}
	stdout, _ = must(t, exitFine, "", "capabilities", "--proxy", "nginx")
	contains(t, "flag", stdout, "nginx ")
	must(t, exitFine, shop, "explain", "-f", "-", "--authority", "a.test", "--method", "shop.Cart/Add")
	t.Setenv("GATEWRIGHT_PROXY", "caddy")
	_, stderr = must(t, exitError, "", "capabilities")
	contains(t, "bad", stderr, "GATEWRIGHT_PROXY, for --proxy: ", "it must be nginx or haproxy")
	t.Setenv("GATEWRIGHT_PROXY", "")
	file := filepath.Join(t.TempDir(), "shop.yaml")
	if err := os.WriteFile(file, []byte(shop), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("GATEWRIGHT_FILENAME", file+"\n"+file)
	must(t, exitFine, "", "graph")
}

func TestDidYouMean(t *testing.T) {
	for args, want := range map[string]string{
		"generat":                  `unknown command "generat" for "gatewright"; did you mean generate?`,
		"generate --layot full":    "unknown flag: --layot; did you mean --layout?",
		"generate --proxy-bin x":   "unknown flag: --proxy-bin; did you mean --proxy-binary?",
		"generate --zzzzzzzz full": "unknown flag: --zzzzzzzz\n",
	} {
		_, stderr := must(t, exitError, "", strings.Fields(args)...)
		contains(t, args, stderr, want)
	}
}

// TestExplainHabits: headers as curl has them, and a URL as the authority.
func TestExplainHabits(t *testing.T) {
	for header, want := range map[string]string{"X-A: b=c": "x-a: b=c", "x-a=b: c": "x-a: b: c", "x-a:b": "x-a: b"} {
		stdout, _ := must(t, exitFine, shop, "explain", "-f", "-", "--authority", "http://a.test:8080/", "--method", "shop.Cart/Add", "-H", header)
		contains(t, header, stdout, "for a.test:8080\n", want, "port 8080")
	}
	_, stderr := must(t, exitError, shop, "explain", "-f", "-", "--authority", "http://a.test/x", "--method", "shop.Cart/Add")
	contains(t, "path", stderr, "a URL without a path such as https://shop.example.com")
	stdout, _ := must(t, exitRefused, shop, "explain", "-f", "-", "--authority", "https://a.test", "--method", "shop.Cart/Add")
	contains(t, "port of the scheme", stdout, "the connection is refused")
}

func TestCalledAs(t *testing.T) {
	for path, want := range map[string]string{
		"/usr/bin/gatewright": "gatewright", "/usr/local/bin/kubectl-gatewright": "kubectl gatewright", "gw": "gatewright",
	} {
		if got := calledAs(path); got != want {
			t.Errorf("%s: %q", path, got)
		}
	}
}

func TestCompletion(t *testing.T) {
	file := filepath.Join(t.TempDir(), "shop.yaml")
	if err := os.WriteFile(file, []byte(shop), 0o600); err != nil {
		t.Fatal(err)
	}
	for args, want := range map[string]string{
		"run --proxy":                       "nginx\nhaproxy\n",
		"generate --layout":                 "full\ninclude\n",
		"explain -f " + file + " --method":  "shop.Cart/\n",
		"explain -f " + file + " --gateway": "default/shop\n",
	} {
		stdout, _ := must(t, exitFine, "", append(append([]string{"__complete"}, strings.Fields(args)...), "")...)
		contains(t, args, stdout, want)
	}
	stdout, _ := must(t, exitFine, "", "completion", "bash")
	contains(t, "bash", stdout, "gatewright")
}

// TestCheckCommand: a line for each problem, as editors read them.
func TestCheckCommand(t *testing.T) {
	must(t, exitFine, shop, "check", "-")
	stdout, _ := must(t, exitError, strings.Replace(shop, "protocol: HTTP,", "protocl: HTTP,", 1), "check", "-")
	contains(t, "field", stdout, "stdin:8: Gateway default/shop: spec.listeners[0].protocl: ")
	_, stderr := must(t, exitError, "", "check")
	contains(t, "nothing", stderr, "name files or folders")
}

// manyRoutes are shop with a thousand routes, of which twenty name a Service that doesn't exist.
func manyRoutes() string {
	var b strings.Builder
	b.WriteString(shop)
	for i := range 1000 {
		service := "cart"
		if i%50 == 49 {
			service = "gone"
		}
		fmt.Fprintf(&b, "---\napiVersion: gateway.networking.k8s.io/v1\nkind: GRPCRoute\nmetadata: {name: r%04d, namespace: default}\nspec:\n"+
			"  parentRefs: [{name: shop}]\n  rules: [{matches: [{method: {service: s%d}}], backendRefs: [{name: %s, port: 50051}]}]\n", i, i, service)
	}
	return b.String()
}

// TestStatus: what is refused comes first, and the rest doesn't hide it; from manifests, a folder and a gateway that runs alike.
func TestStatus(t *testing.T) {
	manifests := manyRoutes()
	stdout, _ := must(t, exitRefused, manifests, "status", "-f", "-")
	lines := strings.Split(stdout, "\n")
	if len(lines) > 20+shownWell+5 {
		t.Errorf("%d lines:\n%s", len(lines), stdout)
	}
	for i, line := range lines[1:21] {
		if want := fmt.Sprintf("GRPCRoute default/r%04d", 50*i+49); !strings.HasPrefix(line, "refused") || !strings.Contains(line, want) {
			t.Errorf("line %d: %q, want %s", i, line, want)
		}
	}
	contains(t, "counts", stdout, "20 refused, 2 pending, 982 ok\n", "more that aren't refused: -o wide has them")
	wide, _ := must(t, exitRefused, manifests, "status", "-f", "-", "-o", "wide")
	contains(t, "wide", wide, "Service default/gone doesn't exist", "GRPCRoute default/r0998")

	dir := filepath.Join(t.TempDir(), "out")
	must(t, exitRefused, manifests, "generate", "-f", "-", "-o", dir)
	text, err := os.ReadFile(filepath.Join(dir, "status.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/status" {
			_, _ = w.Write(text) // The client has gone when it fails.
		}
	})}
	done := make(chan error, 1)
	go func() { done <- server.Serve(l) }()
	t.Cleanup(func() {
		_ = server.Close()
		<-done
	})
	for _, from := range []string{dir, filepath.Join(dir, "status.yaml"), "unix:" + socket} {
		if got, _ := must(t, exitRefused, "", "status", "--at", from); got != stdout {
			t.Errorf("%s: got\n%s", from, got)
		}
	}
	stdout, _ = must(t, exitFine, shop, "status", "-f", "-", "-o", "json")
	var parts []status.Part
	if err := json.Unmarshal([]byte(stdout), &parts); err != nil || len(parts) != 4 {
		t.Errorf("%v: %s", err, stdout)
	}
	for args, want := range map[string]string{
		"": "name either manifests", "--at nowhere": "it is no address", "--at unix:/nowhere/s": "no such file",
		"--at " + os.Args[0]: "not the statuses",
	} {
		_, stderr := must(t, exitError, "", append([]string{"status"}, strings.Fields(args)...)...)
		contains(t, args, stderr, want)
	}
}

var update = flag.Bool("update", false, "write the flags in docs/cli.md anew")

// TestDocumented: the flags in docs/cli.md are those of the code.
func TestDocumented(t *testing.T) {
	const file, heading = "../../docs/cli.md", "## Flags\n"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, _, ok := strings.Cut(string(text), heading)
	if !ok {
		t.Fatalf("%s has no %q", file, heading)
	}
	want := before + heading + flagTables(newRoot(&logOptions{}))
	if *update {
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if string(text) != want {
		t.Errorf("%s doesn't have the flags as they are; run the test with -update", file)
	}
}

// flagTables are the flags of all commands, as Markdown.
func flagTables(root *cobra.Command) string {
	var b strings.Builder
	table := func(flags *pflag.FlagSet) {
		b.WriteString("\n| flag | value | what it does |\n|---|---|---|\n")
		flags.VisitAll(func(f *pflag.Flag) {
			if f.Hidden || f.Name == "help" {
				return
			}
			name := "`--" + f.Name + "`"
			if f.Shorthand != "" {
				name += ", `-" + f.Shorthand + "`"
			}
			value, usage := pflag.UnquoteUsage(f)
			fmt.Fprintf(&b, "| %s | %s | %s |\n", name, strings.ReplaceAll(value, "|", ", "), usage)
		})
	}
	b.WriteString("\n### every command\n")
	table(root.PersistentFlags())
	for _, cmd := range root.Commands() {
		if cmd.Name() == "help" || cmd.Name() == "completion" {
			continue
		}
		fmt.Fprintf(&b, "\n### `%s`\n\n%s. `gatewright %s`\n", cmd.Name(), cmd.Short, cmd.Use)
		if flags := cmd.LocalNonPersistentFlags(); flags.HasAvailableFlags() {
			table(flags)
		}
	}
	return b.String()
}
