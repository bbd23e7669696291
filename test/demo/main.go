package main

import (
	"flag"
	"fmt"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	discoveryv1 "k8s.io/api/discovery/v1"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"

	"github.com/gatewright/gatewright/controller/resources"
	"github.com/gatewright/gatewright/test/harness"
)

// manifests are what the demo serves, and gateway and web are where they say that it listens.
const (
	manifests = "deploy/demo"
	gateway   = "127.90.0.1:8080"
	web       = "127.90.0.1:8081"
)

// scene is some calls of one kind.
type scene struct {
	title     string
	calls     int
	authority string
	path      string
	metadata  metadata.MD
	// want are the answers that may come, Services or gRPC codes. All of them must.
	want []string
}

var scenes = []scene{
	{"1000 calls to the cart: nine of ten stay on the old version", 1000, "shop.example.com", "/shop.v1.Cart/Add", nil,
		[]string{"shop/cart", "shop/cart-canary"}},
	{"100 calls that ask for the canary", 100, "shop.example.com", "/shop.v1.Cart/Add", metadata.Pairs("x-canary", "yes"),
		[]string{"shop/cart-canary"}},
	{"100 calls that read the catalog, at another host", 100, "mobile.example.com", "/shop.v1.Catalog/ListProducts", nil,
		[]string{"shop/catalog"}},
	{"a call that writes to the catalog: no rule lets it through", 1, "shop.example.com", "/shop.v1.Catalog/Delete", nil,
		[]string{"Unimplemented"}},
	{"a call to the reviews: their Service doesn't exist", 1, "shop.example.com", "/shop.v1.Reviews/List", nil, []string{"Unavailable"}},
}

// page is a request of a browser's kind, and who is to answer it.
type page struct {
	title, host, target, want string
}

var pages = []page{
	{"the shop's page, by HTTP/1.1", "www.example.com", "/cart?item=1", "shop/web"},
	{"its old address: the proxy sends browsers on", "www.example.com", "/shop/cart?item=1", "301"},
	{"a host that no route has", "other.example.com", "/", "404"},
}

// programs start a proxy on the folder with its configuration.
var programs = map[string]func(binary, out string) []string{
	"nginx": func(binary, out string) []string {
		return []string{binary, "-p", out, "-c", filepath.Join(out, "nginx.conf")}
	},
	"haproxy": func(binary, out string) []string { return []string{binary, "-f", filepath.Join(out, "haproxy.cfg")} },
}

// foreground are arguments that keep a proxy from leaving the terminal.
var foreground = map[string][]string{"nginx": {"-g", "daemon off;"}, "haproxy": {"-W", "-db"}}

// stage is what the demo plays on.
type stage struct{ *harness.Stage }

func main() {
	gatewright := flag.String("gatewright", "bin/gatewright", "the gatewright `binary`")
	proxy := flag.String("proxy", "nginx", "`name` of the proxy: nginx or haproxy")
	binary := flag.String("proxy-binary", "/usr/sbin/nginx", "the proxy's `binary`")
	flag.Parse()
	stage := &stage{harness.NewStage("demo")}
	defer stage.End()
	if programs[*proxy] == nil {
		stage.Fatalf("-proxy %q: it must be nginx or haproxy", *proxy)
	}
	stage.play(*gatewright, *proxy, *binary)
}

func (s *stage) play(gatewright, proxy, binary string) {
	dir := harness.TempDir(s)
	out := filepath.Join(dir, "out")
	s.listen(harness.NewBackends(s), manifests)

	s.show(2, gatewright, "generate", "-f", manifests, "-o", out, "--proxy", proxy, "--proxy-binary", binary)
	command := programs[proxy](binary, out)
	fmt.Printf("\n$ %s %s\n", proxy, strings.Join(command[1:], " "))
	process := harness.Start(s, binary, append(command[1:], foreground[proxy]...)...)
	process.WaitListening(gateway)
	process.WaitListening(web)

	client := harness.NewClient(s)
	for _, scene := range scenes {
		s.call(client, scene)
	}
	browser := harness.NewHTTPClient(s)
	for _, p := range pages {
		s.get(browser, p)
	}
	s.show(0, gatewright, "explain", "-f", manifests, "--proxy", proxy, "--proxy-binary", binary, "--authority", "shop.example.com",
		"--method", "shop.v1.Cart/Add", "--check")
	s.playDraft(gatewright, proxy, binary)
	fmt.Println("\nEverything is stopped again.")
}

// get asks for a page and says who answered.
func (s *stage) get(client *harness.HTTPClient, p page) {
	reply := client.Do(harness.HTTPRequest{Address: web, Target: p.target, Host: p.host})
	fmt.Printf("\n%s: http://%s%s\n        %s", p.title, p.host, p.target, reply.Backend())
	if location := reply.Headers.Get("location"); location != "" {
		fmt.Printf(" to %s", location)
	}
	fmt.Println()
	if got := reply.Backend(); got != p.want {
		s.Fatalf("the answer came from %s, want %s", got, p.want)
	}
}

// listen starts a server at every endpoint of manifests.
func (s *stage) listen(backends *harness.Backends, manifests string) {
	snapshot, _, err := resources.Load([]string{manifests}, nil)
	if err != nil {
		s.Fatalf("%v", err)
	}
	for _, slice := range snapshot.EndpointSlices {
		service := slice.Namespace + "/" + slice.Labels[discoveryv1.LabelServiceName]
		for _, endpoint := range slice.Endpoints {
			for _, port := range slice.Ports {
				address := net.JoinHostPort(endpoint.Addresses[0], strconv.Itoa(int(*port.Port)))
				backends.ListenHTTP(service, endpoint.Addresses[0], *port.Port)
				fmt.Printf("a server for Service %s at %s\n", service, address)
			}
		}
	}
}

// show runs a command in sight, and wants it to end with the exit code.
func (s *stage) show(want int, program string, args ...string) {
	fmt.Printf("\n$ %s %s\n", filepath.Base(program), strings.Join(args, " "))
	cmd := exec.Command(program, args...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stdout
	err := cmd.Run()
	if cmd.ProcessState == nil || cmd.ProcessState.ExitCode() != want {
		s.Fatalf("%s: %v, want exit code %d", program, err, want)
	}
	if want != 0 {
		fmt.Printf("(exit code %d)\n", want)
	}
}

// call makes the calls of a scene and says who answered.
func (s *stage) call(client *harness.Client, scene scene) {
	fmt.Printf("\n%s: %s\n", scene.title, scene.path)
	answers, messages := map[string]int{}, map[string]string{}
	for range scene.calls {
		reply := client.Do(harness.Call{Address: gateway, Authority: scene.authority, Path: scene.path, Metadata: scene.metadata})
		answers[reply.Backend()]++
		if reply.Code != codes.OK {
			messages[reply.Backend()] = ": " + reply.Message
		}
	}
	for _, name := range slices.Sorted(maps.Keys(answers)) {
		fmt.Printf("  %4d  %s%s\n", answers[name], name, messages[name])
	}
	if got := slices.Sorted(maps.Keys(answers)); !slices.Equal(got, scene.want) {
		s.Fatalf("answers came from %v, want %v", got, scene.want)
	}
}
