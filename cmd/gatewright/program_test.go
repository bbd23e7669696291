package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const regexRoute = `---
apiVersion: gateway.networking.k8s.io/v1
kind: GRPCRoute
metadata: {name: search, namespace: default}
spec:
  parentRefs: [{name: shop}]
  rules:
  - matches:
    - method: {type: RegularExpression, service: "shop[.].*"}
    backendRefs: [{name: cart, port: 50051}]
`

// TestProgram: a generator that is a program serves what it can; what it refuses is in the route's status, and costs that alone.
func TestProgram(t *testing.T) {
	dir := t.TempDir()
	program, out := filepath.Join(dir, "envoy"), filepath.Join(dir, "out")
	if text, err := exec.Command("go", "build", "-o", program, "../../test/generators/exchange/envoy").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	args := []string{"generate", "-f", "-", "-o", out, "--generator", "exec:" + program}
	must(t, exitFine, shop, args...)
	want, err := os.ReadFile(filepath.Join(out, "envoy.json"))
	if err != nil {
		t.Fatal(err)
	}
	if !json.Valid(want) {
		t.Errorf("no JSON:\n%s", want)
	}
	contains(t, "envoy.json", string(want), `"prefix": "/shop.Cart/"`, `"port_value": 8080`, `"name": "default/cart/50051"`)

	_, stderr := must(t, exitRefused, shop+regexRoute, args...)
	contains(t, "refused", stderr, "GRPCRoute default/search", "the example matches services, alone or with a method")
	got, err := os.ReadFile(filepath.Join(out, "envoy.json"))
	if err != nil || string(got) != string(want) {
		t.Errorf("what is refused has changed the rest (%v):\n%s", err, got)
	}
	stdout, _ := must(t, exitFine, "", "capabilities", "--generator", "exec:"+program)
	contains(t, "capabilities", stdout, "envoy 1.34.0", "the example generator for Envoy doesn't serve it")
	must(t, exitFine, shop, "graph", "-f", "-", "--generator", "exec:"+program)
	stdout, _ = must(t, exitFine, shop, "explain", "-f", "-", "--generator", "exec:"+program,
		"--method", "shop.Cart/Get", "--authority", "a.test")
	contains(t, "explain", stdout, "GRPCRoute default/cart")
}

// TestProgramFlags: what a program isn't told of, and what it can't do, is refused by name.
func TestProgramFlags(t *testing.T) {
	for args, want := range map[[4]string]string{
		{"generate", "--generator", "envoy"}:                                 "it must be exec: and the path of a program",
		{"generate", "--generator", "exec:envoy"}:                            "it must be exec: and the path of a program",
		{"generate", "--generator", "exec:/bin/true", "--max-streams=5"}:     "--max-streams is for nginx and haproxy",
		{"capabilities", "--generator", "exec:/bin/true", "--proxy=nginx"}:   "--proxy is for nginx and haproxy",
		{"graph", "--generator", "exec:/bin/true", "--proxy-version=1.26.3"}: "--proxy-version is for nginx and haproxy",
		{"run", "--generator", "exec:/bin/true"}:                             "a program only generates files",
		{"controller", "--generator", "exec:/bin/true"}:                      "a program only generates files",
		{"capabilities", "--generator", "exec:/nowhere/envoy"}:               "generator /nowhere/envoy: ",
		{"capabilities", "--generator", "exec:/bin/true"}:                    "its answer is not the JSON that it should be",
	} {
		list := args[:3]
		if args[3] != "" {
			list = args[:]
		}
		if args[0] == "generate" {
			list = append(append([]string{}, list...), "-f", "-", "-o", t.TempDir())
		}
		_, stderr := must(t, exitError, shop, list...)
		contains(t, args[0], stderr, want)
	}
}

// TestProgramFails: a program that ends on an object without naming it serves the others, and one that always ends touches nothing.
func TestProgramFails(t *testing.T) {
	dir := t.TempDir()
	program, out := filepath.Join(dir, "program"), filepath.Join(dir, "out")
	script := `#!/bin/sh
request=$(cat)
v='"apiVersion": "gatewright.io/generator/v1alpha1"'
case $request in
*'"kind":"Capabilities"'*) echo "{$v, \"kind\": \"Capabilities\", \"capabilities\": {\"proxy\": \"other\", \"version\": \"1.0.0\"}}" ;;
*BAD*) echo "can't write that" >&2; exit 1 ;;
*) echo "{$v, \"kind\": \"Render\", \"files\": [{\"path\": \"config\", \"text\": \"good\"}]}" ;;
esac
`
	write := func(bad string) {
		if err := os.WriteFile(program, []byte(strings.ReplaceAll(script, "BAD", bad)), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	write("shop[.]Reviews")
	args := []string{"generate", "-f", "-", "-o", out, "--generator", "exec:" + program}
	reviews := strings.ReplaceAll(strings.ReplaceAll(regexRoute, "type: RegularExpression, ", ""), `"shop[.].*"`, "shop.Reviews")
	_, stderr := must(t, exitRefused, shop+reviews, args...)
	contains(t, "left out", stderr, "GRPCRoute default/search", "can't write that")
	if strings.Contains(stderr, "GRPCRoute default/cart,") {
		t.Errorf("the other route is refused too:\n%s", stderr)
	}
	before, err := os.Stat(out)
	if err != nil {
		t.Fatal(err)
	}
	write("Render")
	_, stderr = must(t, exitError, shop, args...)
	contains(t, "always", stderr, "can't write that")
	if after, err := os.Stat(out); err != nil || !os.SameFile(before, after) {
		t.Errorf("the folder was touched (%v)", err)
	}
}
