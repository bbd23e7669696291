package examples

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	discoveryv1 "k8s.io/api/discovery/v1"
	"sigs.k8s.io/yaml"

	"github.com/gatewright/gatewright/controller/resources"
	"github.com/gatewright/gatewright/test/harness"
)

const (
	folder = "../../deploy/examples"
	// patience is how long anything may take.
	patience = 30 * time.Second
)

// program is the binary that the tests run.
var program string

func TestMain(m *testing.M) {
	stage := harness.NewStage("test/examples")
	program = harness.Program(stage)
	code := m.Run()
	stage.End()
	os.Exit(code)
}

// object names what the test makes beside the manifests.
type object struct {
	Namespace string   `json:"namespace"`
	Name      string   `json:"name"`
	Hostnames []string `json:"hostnames"`
}

// example is a calls.yaml.
type example struct {
	// Secrets are made for hostnames, Authorities are ConfigMaps with the authority of all servers, Clients one with that of clients.
	Secrets     []object `json:"secrets"`
	Authorities []object `json:"authorities"`
	Clients     *object  `json:"clients"`
	// TLS are Services that speak it, and the names in their certificates; Ill are addresses that say that they don't serve.
	TLS   map[string]string `json:"tls"`
	Ill   []string          `json:"ill"`
	Calls []call            `json:"calls"`
}

// call is a command and what comes of it; deploy/examples/README.md says what the fields mean.
type call struct {
	About     string            `json:"about"`
	Command   string            `json:"command"`
	Times     int               `json:"times"`
	From      []string          `json:"from"`
	Any       bool              `json:"any"`
	Endpoints int               `json:"endpoints"`
	Headers   map[string]string `json:"headers"`
	Metadata  map[string]string `json:"metadata"`
	Path      string            `json:"path"`
	Body      string            `json:"body"`
	Got       map[string]int    `json:"got"`
}

// names are the folders with examples.
func names(t *testing.T) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(folder, "*", "manifests.yaml"))
	if err != nil || len(found) == 0 {
		t.Fatalf("no example in %s: %v", folder, err)
	}
	for i, path := range found {
		found[i] = filepath.Base(filepath.Dir(path))
	}
	return found
}

// TestFolders: each folder has its files, is in the list, and has manifests that `gatewright check` takes.
func TestFolders(t *testing.T) {
	list, err := os.ReadFile(filepath.Join(folder, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names(t) {
		if !strings.Contains(string(list), fmt.Sprintf("| [%s](%s) |", name, name)) {
			t.Errorf("deploy/examples/README.md doesn't list %s", name)
		}
		readme, err := os.ReadFile(filepath.Join(folder, name, "README.md"))
		if err != nil {
			t.Error(err)
		}
		if !strings.Contains(string(readme), "-f deploy/examples/"+name+"/manifests.yaml") {
			t.Errorf("the README.md of %s doesn't say how to serve it", name)
		}
		if said, err := exec.Command(program, "check", filepath.Join(folder, name, "manifests.yaml")).CombinedOutput(); err != nil {
			t.Errorf("gatewright check of %s: %v\n%s", name, err, said)
		}
	}
}

// oldest are the oldest version of each kind: what that serves, all do.
func oldest(proxies []harness.Proxy) []harness.Proxy {
	var out []harness.Proxy
	for _, p := range proxies {
		i := slices.IndexFunc(out, func(o harness.Proxy) bool { return o.Name == p.Name })
		switch {
		case i < 0:
			out = append(out, p)
		case p.Capabilities.Version.Compare(out[i].Capabilities.Version) < 0:
			out[i] = p
		}
	}
	return out
}

func TestExamples(t *testing.T) {
	for _, p := range oldest(harness.Proxies(t)) {
		t.Run(p.String(), func(t *testing.T) {
			for _, name := range names(t) {
				t.Run(name, func(t *testing.T) { run(t, p, name) })
			}
		})
	}
}

// counts are the calls that came to each Service.
type counts struct {
	mu sync.Mutex
	by map[string]int
}

func (c *counts) add(backend string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	name, _, _ := strings.Cut(backend, ":")
	c.by[name]++
}

func (c *counts) clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.by)
}

func (c *counts) are(want map[string]int) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for service, n := range want {
		if c.by[service] != n {
			return fmt.Errorf("%s got %d calls, want %d", service, c.by[service], n)
		}
	}
	return nil
}

// stage is an example that is served.
type stage struct {
	*testing.T
	client *harness.KeyPair
	came   *counts
	said   func() string
}

func run(t *testing.T, p harness.Proxy, name string) {
	text, err := os.ReadFile(filepath.Join(folder, name, "calls.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var e example
	if err := yaml.UnmarshalStrict(text, &e); err != nil || len(e.Calls) == 0 {
		t.Fatalf("calls.yaml of %s: %v, %d calls", name, err, len(e.Calls))
	}
	manifests := filepath.Join(folder, name, "manifests.yaml")
	dir := harness.TempDir(t)
	s := &stage{T: t, came: &counts{by: map[string]int{}}}
	s.listen(manifests, &e)
	more := filepath.Join(dir, "secrets.yaml")
	if err := os.WriteFile(more, []byte(s.secrets(&e)), 0o600); err != nil {
		t.Fatal(err)
	}
	health := harness.Health(filepath.Join(dir, "http.sock"))
	args := []string{"run", "-f", manifests, "--proxy", p.Name, "--proxy-binary", p.Binary, "--state-dir", filepath.Join(dir, "state"),
		"--listen", "unix:" + string(health), "--drain", "1s", "--access-log", "off"}
	if e.Secrets != nil || e.Authorities != nil || e.Clients != nil {
		args = append(args, "-f", more)
	}
	process := harness.Start(t, program, args...)
	s.said = process.Log
	harness.Until(t, "become ready", patience, health.Ready, s.said)
	for _, c := range e.Calls {
		s.try(c)
	}
}

// listen starts a server at every endpoint.
func (s *stage) listen(manifests string, e *example) {
	s.Helper()
	backends := harness.NewBackends(s)
	backends.OnCall(func(echo *harness.Echo, ended bool) {
		if !ended {
			s.came.add(echo.Backend)
		}
	})
	snapshot, _, err := resources.Load([]string{manifests}, nil)
	if err != nil {
		s.Fatal(err)
	}
	for _, slice := range snapshot.EndpointSlices {
		service := slice.Namespace + "/" + slice.Labels[discoveryv1.LabelServiceName]
		for _, endpoint := range slice.Endpoints {
			address, port := endpoint.Addresses[0], *slice.Ports[0].Port
			if hostname := e.TLS[service]; hostname != "" {
				backends.ListenTLS(service, address, port, harness.TLSOptions{Pair: harness.Certificate(s, hostname), Protocol: "grpc"})
			} else if port == 50051 {
				backends.Listen(service, address, port)
			} else {
				backends.ListenHTTP(service, address, port)
			}
			if slices.Contains(e.Ill, address) {
				backends.Ill(address, true)
			}
		}
	}
}

// secrets are what the manifests refer to and don't have.
func (s *stage) secrets(e *example) string {
	s.Helper()
	var out []string
	for _, o := range e.Secrets {
		out = append(out, harness.Secret(o.Namespace, o.Name, harness.Certificate(s, o.Hostnames...)))
	}
	for _, o := range e.Authorities {
		out = append(out, harness.ConfigMap(o.Namespace, o.Name, string(harness.Authority(s))))
	}
	if e.Clients != nil {
		ca := harness.NewClientCA(s, "clients")
		s.client = ca.Client("client", time.Hour)
		out = append(out, harness.ConfigMap(e.Clients.Namespace, e.Clients.Name, ca.PEM()))
	}
	return strings.Join(out, "---\n")
}

// answer is what came of a command.
type answer struct {
	from, endpoint, path, body string
	header, metadata           func(name string) string
}

// ask does what a command says, on a connection of its own.
func (s *stage) ask(line string) answer {
	s.Helper()
	c, err := parse(line)
	if err != nil {
		s.Fatal(err)
	}
	if c.program == "curl" {
		request, err := c.request()
		if err != nil {
			s.Fatal(err)
		}
		client := harness.NewHTTPClient(s)
		defer client.Close()
		r := client.Do(request)
		return answer{from: r.Backend(), endpoint: r.Echo.Endpoint, path: r.Echo.Target, body: string(r.Body), header: r.Headers.Get,
			metadata: r.Echo.Header}
	}
	call, err := c.call(s.client)
	if err != nil {
		s.Fatal(err)
	}
	client := harness.NewClient(s)
	defer client.Close()
	r := client.Do(call)
	first := func(md map[string][]string) func(string) string {
		return func(name string) string { return strings.Join(md[name], ", ") }
	}
	return answer{from: r.Backend(), endpoint: r.Echo.Endpoint, path: r.Echo.Path, body: string(r.Body), header: first(r.Headers),
		metadata: first(r.Echo.Metadata)}
}

// try makes a call until what came of it is what is wanted: health checks and copies take their time.
func (s *stage) try(c call) {
	s.Helper()
	harness.Until(s, fmt.Sprintf("%s: %s", c.About, c.Command), patience, func() error {
		s.came.clear()
		return s.once(c)
	}, s.said)
}

func (s *stage) once(c call) error {
	from, endpoints := map[string]bool{}, map[string]bool{}
	for range max(1, c.Times) {
		a := s.ask(c.Command)
		from[a.from], endpoints[a.endpoint] = true, true
		if c.From != nil && !slices.Contains(c.From, a.from) {
			return fmt.Errorf("%s answered, want %v; %s", a.from, c.From, a.body)
		}
		if err := c.fits(a); err != nil {
			return err
		}
	}
	if !c.Any && c.From != nil && len(from) != len(c.From) {
		return fmt.Errorf("%v answered, want all of %v", from, c.From)
	}
	if c.Endpoints != 0 && len(endpoints) != c.Endpoints {
		return fmt.Errorf("endpoints %v answered, want %d", endpoints, c.Endpoints)
	}
	if c.Got == nil {
		return nil
	}
	harness.Until(s, "have its calls counted", patience, func() error { return s.came.are(c.Got) }, s.said)
	return nil
}

// fits says what of an answer isn't as it should be.
func (c call) fits(a answer) error {
	for name, want := range c.Headers {
		if got := a.header(name); got != want {
			return fmt.Errorf("the answer's %s is %q, want %q", name, got, want)
		}
	}
	for name, want := range c.Metadata {
		if got := a.metadata(name); got != want {
			return fmt.Errorf("the endpoint's %s is %q, want %q", name, got, want)
		}
	}
	if c.Path != "" && a.path != c.Path {
		return fmt.Errorf("the endpoint's path is %q, want %q", a.path, c.Path)
	}
	if !strings.Contains(a.body, c.Body) {
		return fmt.Errorf("the answer has no %q: %q", c.Body, a.body)
	}
	return nil
}
