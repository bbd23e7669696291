package cases

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/gatewright/gatewright/controller"
	"github.com/gatewright/gatewright/controller/resources"
	"github.com/gatewright/gatewright/controller/status"
	"github.com/gatewright/gatewright/controller/translate"
	"github.com/gatewright/gatewright/generators"
	"github.com/gatewright/gatewright/generators/haproxy"
	"github.com/gatewright/gatewright/generators/model"
	"github.com/gatewright/gatewright/generators/nginx"
	"github.com/gatewright/gatewright/generators/relay"
	"github.com/gatewright/gatewright/test/harness"
)

var update = flag.Bool("update", false, "write the golden files anew")

// usual is the version of nginx that a case is for when its flags don't say.
const usual = "1.26.3"

// bridgeSocket is where the bridge of all cases would be.
const bridgeSocket = "/run/gatewright/bridge.sock"

// options are the flags of a case that the pipeline knows.
type options struct {
	gatewayClass, backends, version string
	addresses                       translate.Addresses
	// unbridged has no bridge beside the proxy.
	unbridged bool
}

func TestCases(t *testing.T) {
	inputs, err := filepath.Glob("*/in.yaml")
	if err != nil || len(inputs) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	for _, in := range inputs {
		dir := filepath.Dir(in)
		t.Run(dir, func(t *testing.T) {
			t.Parallel()
			runCase(t, dir)
		})
	}
}

func runCase(t *testing.T, dir string) {
	o := readFlags(t, dir)
	version, err := model.ParseVersion(o.version)
	if err != nil {
		t.Fatal(err)
	}
	caps := o.capabilities(nginx.CapabilitiesOf(version))
	snapshot := load(t, dir, o)
	result := translateCase(snapshot, caps, o)
	gotModel, gotStatus := texts(t, result)
	golden(t, filepath.Join(dir, "model.yaml"), gotModel)
	golden(t, filepath.Join(dir, "status.yaml"), gotStatus)

	reverse(snapshot)
	turned := translateCase(snapshot, caps, o)
	turnedModel, turnedStatus := texts(t, turned)
	if turnedModel != gotModel || turnedStatus != gotStatus || !cmp.Equal(turned.Edges(), result.Edges()) {
		t.Errorf("the order of the objects makes a difference:\n%s%s", cmp.Diff(gotModel, turnedModel), cmp.Diff(gotStatus, turnedStatus))
	}
	files, turnedFiles := render(t, result, caps), render(t, turned, caps)
	if diff := cmp.Diff(files, turnedFiles); diff != "" {
		t.Errorf("the order of the objects makes a difference to nginx's files:\n%s", diff)
	}
	if c := relay.Of(result.Gateways, ""); len(c.Actions) > 0 {
		text, err := c.Text()
		if err != nil {
			t.Fatal(err)
		}
		golden(t, filepath.Join(dir, relay.File), string(text))
	}
	if _, err := os.Stat(filepath.Join(dir, "nginx")); err == nil {
		goldenFolder(t, filepath.Join(dir, "nginx"), files)
	}
	if _, err := os.Stat(filepath.Join(dir, "haproxy")); err == nil {
		haproxyCase(t, dir, o)
	}
}

// haproxyVersion is the HAProxy that cases are rendered for.
var haproxyVersion = model.Version{Major: 3, Minor: 0, Patch: 11}

// haproxyCase renders a case for HAProxy too.
func haproxyCase(t *testing.T, dir string, o options) {
	t.Helper()
	caps := o.capabilities(haproxy.CapabilitiesOf(haproxyVersion))
	result := translateCase(load(t, dir, o), caps, o)
	files, err := haproxy.New(generators.Options{Bridge: bridgeSocket}).Render(result.Gateways, caps)
	if err != nil {
		t.Fatal(err)
	}
	goldenFolder(t, filepath.Join(dir, "haproxy"), files)
}

// capabilities are those of a proxy, with the bridge that there is.
func (o *options) capabilities(c model.Capabilities) model.Capabilities {
	if o.unbridged {
		c.Missing = maps.Clone(c.Missing)
		if c.Missing == nil {
			c.Missing = map[model.Feature]string{}
		}
		c.Missing[model.FeatureBridge] = "no bridge is named"
	}
	return c
}

// readFlags reads a case's flags.
func readFlags(t *testing.T, dir string) options {
	t.Helper()
	o := options{backends: string(translate.BackendsEndpoints), version: usual}
	f := flag.NewFlagSet(dir, flag.ContinueOnError)
	f.StringVar(&o.gatewayClass, "gateway-class", "", "")
	f.StringVar(&o.backends, "backends", o.backends, "")
	f.StringVar(&o.version, "proxy-version", o.version, "")
	f.BoolVar(&o.unbridged, "no-bridge", false, "")
	f.Func("address-pool", "", func(text string) (err error) {
		o.addresses.Pool, err = controller.ParsePool(strings.Split(text, ","))
		return err
	})
	f.Func("publish-address", "", func(text string) error {
		list, err := controller.ParseAddresses(strings.Split(text, ","))
		o.addresses.Published = &translate.Published{From: "the published addresses", Addresses: list}
		return err
	})
	if err := f.Parse(flagsOf(t, dir)); err != nil {
		t.Fatal(err)
	}
	return o
}

// flagsOf are the words of a case's flags file.
func flagsOf(t *testing.T, dir string) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "flags"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return strings.Fields(string(text))
}

func load(t *testing.T, dir string, o options) *resources.Snapshot {
	t.Helper()
	snapshot, _, err := resources.Load([]string{filepath.Join(dir, "in.yaml")}, nil)
	if err != nil {
		t.Fatal(err)
	}
	snapshot, _ = resources.Complete(snapshot, resources.Completion{
		GatewayClass: o.gatewayClass, Controller: translate.DefaultController, Backends: o.backends,
	})
	return snapshot
}

func translateCase(s *resources.Snapshot, caps model.Capabilities, o options) translate.Result {
	return translate.Translate(s, caps, translate.Options{Backends: translate.Backends(o.backends), Addresses: o.addresses, Whole: true})
}

func texts(t *testing.T, result translate.Result) (modelText, statusText string) {
	t.Helper()
	m, err := yaml.Marshal(result.Gateways)
	if err != nil {
		t.Fatal(err)
	}
	s, err := status.Marshal(result.Reports())
	if err != nil {
		t.Fatal(err)
	}
	return string(m), string(s)
}

func render(t *testing.T, result translate.Result, caps model.Capabilities) []generators.File {
	t.Helper()
	files, err := nginx.New(generators.Options{Bridge: bridgeSocket}).Render(result.Gateways, caps)
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// reverse turns every list of a snapshot round.
func reverse(s *resources.Snapshot) {
	v := reflect.ValueOf(s).Elem()
	for i := range v.NumField() {
		list := v.Field(i)
		swap := reflect.Swapper(list.Interface())
		for a, b := 0, list.Len()-1; a < b; a, b = a+1, b-1 {
			swap(a, b)
		}
	}
}

// golden compares a text with a file, or writes it there.
func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v (-update writes it)", err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got; -update takes what is got):\n%s", path, diff)
	}
}

// generationLine names the generation, a hash of all files: a change of one would show in each of them.
var generationLine = regexp.MustCompile(`(?m)^# Generation [0-9a-f]{64}$`)

// goldenFolder compares rendered files with a folder. Of private keys only the names count: none is kept twice.
// The generation is a word.
func goldenFolder(t *testing.T, dir string, files []generators.File) {
	t.Helper()
	want := []string{}
	for _, f := range files {
		path := filepath.Join(dir, f.Path)
		want = append(want, path)
		if *update {
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		text := generationLine.ReplaceAllString(string(f.Data), "# Generation GENERATION")
		if f.Secret {
			text = "a private key\n"
		}
		golden(t, path, text)
	}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || slices.Contains(want, path) {
			return err
		}
		if *update {
			return os.Remove(path)
		}
		t.Errorf("%s is not rendered any more (-update removes it)", path)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestExplainAndGraph(t *testing.T) {
	binary := harness.Program(t)
	questions, err := filepath.Glob("*/explain.txt")
	if err != nil || len(questions) == 0 {
		t.Fatalf("no explain.txt: %v", err)
	}
	for _, path := range questions {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var got strings.Builder
		for line := range strings.Lines(string(text)) {
			question, ok := strings.CutPrefix(line, "$ ")
			if !ok {
				continue
			}
			if got.Len() > 0 {
				got.WriteByte('\n')
			}
			out, code := run(t, binary, filepath.Dir(path), append([]string{"explain", "--check"}, strings.Fields(question)...)...)
			fmt.Fprintf(&got, "$ %s%sexit code %d\n", question, out, code)
		}
		golden(t, path, got.String())
	}
	graphs, err := filepath.Glob("*/graph.*")
	if err != nil || len(graphs) == 0 {
		t.Fatalf("no graphs: %v", err)
	}
	formats := map[string]string{".mmd": "mermaid", ".dot": "dot"}
	for _, path := range graphs {
		out, code := run(t, binary, filepath.Dir(path), "graph", "-o", formats[filepath.Ext(path)])
		if code != 0 {
			t.Errorf("%s: exit code %d", path, code)
		}
		golden(t, path, out)
	}
}

// run runs a subcommand on a case and returns its output and exit code.
func run(t *testing.T, binary, dir string, args ...string) (string, int) {
	t.Helper()
	args = append(args, "-f", filepath.Join(dir, "in.yaml"))
	if !strings.Contains(strings.Join(flagsOf(t, dir), " "), "--proxy-version") {
		args = append(args, "--proxy-version", usual)
	}
	cmd := exec.Command(binary, append(args, flagsOf(t, dir)...)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	var exit *exec.ExitError
	if err != nil && (!errors.As(err, &exit) || exit.ExitCode() == 1) {
		t.Fatalf("%v: %v\n%s", cmd.Args, err, stderr.String())
	}
	return string(out), cmd.ProcessState.ExitCode()
}
