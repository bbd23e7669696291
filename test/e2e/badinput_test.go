package e2e

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gatewright/gatewright/test/harness"
)

// good is what stands beside the bad thing, and must go on being served.
const good = `apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: gw}
spec:
  gatewayClassName: gatewright
  listeners:
  - {name: http, protocol: HTTP, port: 8080}
---
apiVersion: gateway.networking.k8s.io/v1
kind: GRPCRoute
metadata: {name: good}
spec:
  parentRefs: [{name: gw}]
  hostnames: [good.example.com]
  rules:
  - matches: [{method: {service: good.Service}}]
    backendRefs: [{name: good, port: 50051}]
---
apiVersion: v1
kind: Service
metadata: {name: good}
spec:
  ports: [{port: 50051}]
`

// routeWith is a route with one match beside a good rule.
func routeWith(match string) string {
	return `apiVersion: gateway.networking.k8s.io/v1
kind: GRPCRoute
metadata: {name: bad}
spec:
  parentRefs: [{name: gw}]
  hostnames: [bad.example.com]
  rules:
  - matches: [` + match + `]
    backendRefs: [{name: good, port: 50051}]
  - matches: [{method: {service: sibling.Service}}]
    backendRefs: [{name: good, port: 50051}]
`
}

const httpsGateway = `apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: secure}
spec:
  gatewayClassName: gatewright
  listeners:
  - {name: https, protocol: HTTPS, port: 8443, tls: {certificateRefs: [{name: certificate}]}}
`

// badInput is one kind of bad input to `generate`.
type badInput struct {
	name string
	// bad is the manifest that stands beside the good ones; prepare does what takes more than a manifest, and
	// may return other arguments.
	bad     string
	prepare func(t *testing.T, dir string) []string
	// exit is the exit code: 1 leaves the old output as it was, 2 serves the rest.
	exit int
	// says are parts of what stderr, or status.yaml for exit 2, must say.
	says []string
}

var badInputs = []badInput{
	{name: "broken YAML", bad: "apiVersion: v1\nkind: [Service\n", exit: 1, says: []string{"bad.yaml", "line"}},
	{name: "not YAML at all", bad: "\x00\x01\x02\xff", exit: 1, says: []string{"bad.yaml"}},
	{name: "no kind", bad: "hello: world\n", exit: 1, says: []string{"bad.yaml", "kind"}},
	{name: "unknown field", bad: "apiVersion: v1\nkind: Service\nmetadata: {name: s}\nspec: {ports: [{port: 1}], prots: []}\n", exit: 1,
		says: []string{"bad.yaml", "Service", "prots"}},
	{
		name: "wrong kind in a known group", bad: "apiVersion: gateway.networking.k8s.io/v1\nkind: GPRCRoute\nmetadata: {name: x}\n", exit: 1,
		says: []string{"bad.yaml", "GPRCRoute"},
	},
	{name: "port out of range", bad: strings.Replace(httpsGateway, "8443", "84430", 1), exit: 1, says: []string{"bad.yaml", "secure", "port"}},
	{
		name: "5,000-byte header value", bad: routeWith(`{headers: [{name: k, value: "` + strings.Repeat("x", 5000) + `"}]}`), exit: 1,
		says: []string{"bad.yaml", "bad", "rules[0].matches[0].headers[0].value", "4096"},
	},
	{
		name: "header value that is too long for nginx once escaped",
		bad:  routeWith(`{headers: [{name: k, value: "` + strings.Repeat("é", 2000) + `"}]}`), exit: 2,
		says: []string{"PartiallyInvalid", "rules[0]"},
	},
	{
		name: "regex that RE2 refuses", bad: routeWith(`{method: {type: RegularExpression, service: '(?=a)b'}}`), exit: 2,
		says: []string{"PartiallyInvalid", "rules[0]", "(?="},
	},
	{
		name: "regex that PCRE reads otherwise", bad: routeWith(`{headers: [{name: k, type: RegularExpression, value: '[é-ü]+'}]}`), exit: 2,
		says: []string{"PartiallyInvalid", "rules[0]"},
	},
	{
		name: "header name that nginx can't match", bad: routeWith(`{headers: [{name: x.y, value: v}]}`), exit: 2,
		says: []string{"PartiallyInvalid", "rules[0]", "x.y"},
	},
	{
		name: "duplicate listener name", exit: 1, says: []string{"bad.yaml", "secure", "listeners"},
		bad: httpsGateway + "  - {name: https, protocol: HTTP, port: 8081}\n",
	},
	{
		name: "duplicate listener", exit: 1, says: []string{"bad.yaml", "secure", "listeners"},
		bad: httpsGateway + "  - {name: again, protocol: HTTPS, port: 8443, tls: {certificateRefs: [{name: certificate}]}}\n",
	},
	{
		name: "certificate that doesn't parse", exit: 2, says: []string{"InvalidCertificateRef", "certificate"},
		bad: httpsGateway + "---\napiVersion: v1\nkind: Secret\nmetadata: {name: certificate}\ntype: kubernetes.io/tls\nstringData: {tls.crt: " +
			"hello, tls.key: world}\n",
	},
	{
		name: "certificate and key that don't fit", exit: 2, says: []string{"InvalidCertificateRef", "certificate"},
		prepare: func(t *testing.T, dir string) []string {
			pair := harness.Certificate(t, "a.test")
			pair.Key = harness.Certificate(t, "b.test").Key
			write(t, filepath.Join(dir, "in", "bad.yaml"), httpsGateway+"---\n"+harness.Secret("default", "certificate", pair))
			return nil
		},
	},
	{
		name: "certificate that isn't there", bad: httpsGateway, exit: 2, says: []string{"InvalidCertificateRef", "certificate"},
	},
	{
		name: "endless file", exit: 1, says: []string{"/dev/zero"},
		prepare: func(*testing.T, string) []string { return []string{"-f", "/dev/zero"} },
	},
	{
		name: "missing file", exit: 1, says: []string{"missing.yaml"},
		prepare: func(_ *testing.T, dir string) []string { return []string{"-f", filepath.Join(dir, "missing.yaml")} },
	},
	{
		name: "empty file alone", exit: 1, says: []string{"empty.yaml"},
		prepare: func(t *testing.T, dir string) []string {
			write(t, filepath.Join(dir, "empty.yaml"), "")
			return []string{"only", "-f", filepath.Join(dir, "empty.yaml")}
		},
	},
	{
		name: "unreadable folder", exit: 1, says: []string{"locked"},
		prepare: func(t *testing.T, dir string) []string {
			locked := filepath.Join(dir, "in", "locked")
			if err := os.Mkdir(locked, 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(locked, 0); err != nil {
				t.Fatal(err)
			}
			return nil
		},
	},
	{
		name: "output that is a file", exit: 1, says: []string{"a-file"},
		prepare: func(t *testing.T, dir string) []string {
			write(t, filepath.Join(dir, "a-file"), "mine\n")
			return []string{"-o", filepath.Join(dir, "a-file")}
		},
	},
	{
		name: "output folder that can't be written", exit: 1, says: []string{"locked"},
		prepare: func(t *testing.T, dir string) []string {
			if err := os.Mkdir(filepath.Join(dir, "locked"), 0o555); err != nil {
				t.Fatal(err)
			}
			return []string{"-o", filepath.Join(dir, "locked", "out")}
		},
	},
	{
		name: "two objects of one name", exit: 1, says: []string{"bad.yaml", "good"},
		bad: "apiVersion: v1\nkind: Service\nmetadata: {name: good}\nspec: {ports: [{port: 1}]}\n",
	},
}

// TestBadInput runs the built program on each, beside good manifests that were rendered before.
func TestBadInput(t *testing.T) {
	program := harness.Program(t)
	for _, b := range badInputs {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			b.check(t, program)
		})
	}
}

func (b badInput) check(t *testing.T, program string) {
	dir := harness.TempDir(t)
	in, out := filepath.Join(dir, "in"), filepath.Join(dir, "out")
	if err := os.Mkdir(in, 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(in, "good.yaml"), good)
	giveAway(t, dir)
	if code, stderr := generate(t, program, "-f", in, "-o", out); code != 0 {
		t.Fatalf("the good manifests alone: exit code %d\n%s", code, stderr)
	}
	before := readAll(t, out)

	if b.bad != "" {
		write(t, filepath.Join(in, "bad.yaml"), b.bad)
	}
	args := []string{"-f", in, "-o", out}
	if b.prepare != nil {
		more := b.prepare(t, dir)
		if len(more) > 0 && more[0] == "only" {
			args, more = args[2:], more[1:]
		}
		args = append(args, more...)
	}
	giveAway(t, dir)
	defer unlock(dir)
	code, said := generate(t, program, args...)
	if code != b.exit {
		t.Errorf("exit code %d, want %d", code, b.exit)
	}
	after := readAll(t, out)
	if b.exit == 1 && !bytes.Equal(before, after) {
		t.Error("the old output was touched")
	}
	if b.exit == 2 {
		if !bytes.Contains(after, []byte("good.Service")) {
			t.Error("the good route isn't in the new output")
		}
		if strings.Contains(b.bad, "sibling.Service") && !bytes.Contains(after, []byte("sibling.Service")) {
			t.Error("the sibling rule isn't in the new output")
		}
		status, err := os.ReadFile(filepath.Join(out, "status.yaml"))
		if err != nil {
			t.Error(err)
		}
		said += string(status)
	}
	for _, text := range b.says {
		if !strings.Contains(said, text) {
			t.Errorf("nothing says %q", text)
		}
	}
	for _, text := range []string{"panic", "goroutine "} {
		if strings.Contains(said, text) {
			t.Errorf("it says %q", text)
		}
	}
	if t.Failed() {
		t.Logf("it said:\n%.3000s", said)
	}
}

// nobody is who the program runs as when the tests run as root, whom no folder is closed to.
const nobody = 65534

// generate runs the program, not as root, and returns its exit code and what it wrote to stderr.
func generate(t *testing.T, program string, args ...string) (int, string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, append([]string{"generate", "--proxy", "nginx"}, args...)...)
	if os.Getuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) || ctx.Err() != nil {
		t.Fatalf("generate %v: %v %v\n%s", args, err, ctx.Err(), stderr.String())
	}
	return cmd.ProcessState.ExitCode(), stderr.String()
}

// giveAway lets the program's user write the folder and what is in it.
func giveAway(t *testing.T, dir string) {
	t.Helper()
	if os.Getuid() != 0 {
		return
	}
	err := filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, nobody, nobody)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// unlock lets the test's folder be removed.
func unlock(dir string) {
	for _, name := range []string{"in/locked", "locked"} {
		_ = os.Chmod(filepath.Join(dir, name), 0o755) // Most tests have none.
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// readAll are the names and bytes of all files under a folder.
func readAll(t *testing.T, dir string) []byte {
	t.Helper()
	var all bytes.Buffer
	err := filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		all.WriteString(path + "\n")
		all.Write(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all.Bytes()
}
