package controller

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/gatewright/gatewright/test/harness"
)

// faulty stands between gatewright and the API server, and answers some requests itself.
type faulty struct {
	mu sync.Mutex
	// answer is what a request gets instead of the API server's answer; nil for that.
	answer func(r *http.Request) http.HandlerFunc
	// answered counts what it has answered, by path.
	answered map[string]int
}

// behind is a kubeconfig for the API server with faults before it.
func (l *lab) behind(kubeconfig string) (*faulty, string) {
	l.Helper()
	access, err := clientcmd.LoadFromFile(kubeconfig)
	if err != nil {
		l.Fatal(err)
	}
	transport, err := rest.TransportFor(&rest.Config{TLSClientConfig: l.Config().TLSClientConfig})
	if err != nil {
		l.Fatal(err)
	}
	target, err := url.Parse(l.URL())
	if err != nil {
		l.Fatal(err)
	}
	f := &faulty{answered: map[string]int{}}
	// A client keeps its token to itself where there is no TLS.
	token := access.AuthInfos[access.Contexts[access.CurrentContext].AuthInfo].Token
	pass := &httputil.ReverseProxy{Transport: transport, FlushInterval: -1, Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(target)
		r.Out.Header.Set("Authorization", "Bearer "+token)
	}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.mu.Lock()
		var own http.HandlerFunc
		if f.answer != nil {
			if own = f.answer(r); own != nil {
				f.answered[r.URL.Path]++
			}
		}
		f.mu.Unlock()
		if own != nil {
			own(w, r)
			return
		}
		pass.ServeHTTP(w, r)
	}))
	l.Cleanup(server.CloseClientConnections)
	l.Cleanup(server.Close)
	for _, c := range access.Clusters {
		c.Server = server.URL
	}
	file := filepath.Join(harness.TempDir(l), "kubeconfig")
	if err := clientcmd.WriteToFile(*access, file); err != nil {
		l.Fatal(err)
	}
	return f, file
}

// set begins to answer; nil ends it.
func (f *faulty) set(answer func(r *http.Request) http.HandlerFunc) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.answer, f.answered = answer, map[string]int{}
}

// count is how often a path has been answered.
func (f *faulty) count(path string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.answered[path]
}

// refusal answers as an API server does that can't give what is asked for.
func refusal(code int, reason, message string, headers ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		for i := 0; i < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.WriteHeader(code)
		_, _ = fmt.Fprintf(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":%q,"message":%q,"code":%d}`, reason, message,
			code) // The client has gone when it fails.
	}
}

// tlsListeners is a Gateway with a cleartext listener and one for each Secret.
func tlsListeners(address string, secrets ...string) string {
	text := gateway("web", address)
	for i, name := range secrets {
		text = strings.Replace(text, "allowedRoutes: {namespaces: {from: All}}}]", fmt.Sprintf(
			"allowedRoutes: {namespaces: {from: All}}}, {name: %s, port: %d, protocol: HTTPS, hostname: %[1]s.test, tls: {certificateRefs: "+
				"[{name: %[1]s}]}, allowedRoutes: {namespaces: {from: All}}}]",
			name, 8443+i), 1)
	}
	return text
}

// TestUnreadableSecrets: what the API server doesn't give costs only the listener that needs it. Its status says why, it is
// asked for after pauses that grow, and served when it can be read.
func TestUnreadableSecrets(t *testing.T) {
	t.Parallel()
	l, r := ownCluster(t, "haproxy")
	faults, kubeconfig := l.behind(r.kubeconfig)
	r.kubeconfig = kubeconfig
	bad := map[string]http.HandlerFunc{
		"forbidden": refusal(http.StatusForbidden, "Forbidden", "you may not have it"),
		"broken":    refusal(http.StatusInternalServerError, "InternalError", "it can't be decrypted"),
		"nonsense": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprint(w, "{")
		},
	}
	const secrets = "/api/v1/namespaces/default/secrets/"
	faults.set(func(r *http.Request) http.HandlerFunc { return bad[strings.TrimPrefix(r.URL.Path, secrets)] })
	names := []string{"good", "forbidden", "broken", "nonsense"}
	manifests := tlsListeners(l.address(), names...) + l.service("first", 0) +
		route("base", "base.Service", []string{"web"}, backend{"first", 1})
	for _, name := range names {
		manifests += "---\n" + harness.Secret("default", name, harness.Certificate(t, name+".test"))
	}
	l.Apply(manifests)
	r.start()
	address := l.addressOf("web")
	l.answers(address, "base.Service", "first")
	secure := func(i int) harness.Call {
		c := callTo(address, "base.Service")
		c.Address, c.Authority, c.TLS = fmt.Sprintf("%s:%d", address, 8443+i), names[i]+".test", true
		return c
	}
	serves := func(i int) {
		l.until("serve "+names[i], func() error {
			l.fresh.Close()
			if reply := l.fresh.Do(secure(i)); reply.Backend() != "first" {
				return errors.New(reply.Message)
			}
			return nil
		})
	}
	serves(0)
	for i, text := range []string{"you may not have it", "it can't be decrypted", "can't be read"} {
		l.until("tell why "+names[i+1]+" isn't served", func() error { return l.listenerSays("web", names[i+1], text) })
	}
	// Others' changes go on.
	for i := range 5 {
		name := fmt.Sprintf("new%d", i)
		l.Apply(route(name, name+".Service", []string{"web"}, backend{"first", 1}))
		l.answers(address, name+".Service", "first")
	}
	faults.set(nil)
	for i := range names {
		serves(i)
	}
	l.converged()
	r.end()
}

// listenerSays says why a listener's ResolvedRefs isn't false with a text.
func (l *lab) listenerSays(gateway, listener, text string) error {
	var g gatewayv1.Gateway
	if err := l.client.Get(l.Context(), client.ObjectKey{Namespace: "default", Name: gateway}, &g); err != nil {
		return err
	}
	for _, s := range g.Status.Listeners {
		if string(s.Name) != listener {
			continue
		}
		for _, c := range s.Conditions {
			if c.Type == string(gatewayv1.ListenerConditionResolvedRefs) && c.Status == "False" && strings.Contains(c.Message, text) {
				return nil
			}
		}
	}
	return fmt.Errorf("its status is %+v", g.Status.Listeners)
}

// overloaded is for how long the API server has too much to do.
const overloaded = 15 * time.Second

// TestOverload: an API server that answers nothing but "too many requests" is asked less and less for everything, what was
// served stays, and afterwards what has changed is served.
func TestOverload(t *testing.T) {
	for name, answer := range map[string]http.HandlerFunc{
		"429": refusal(http.StatusTooManyRequests, "TooManyRequests", "later", "Retry-After", "1"),
		"503": refusal(http.StatusServiceUnavailable, "ServiceUnavailable", "later"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l, r := ownCluster(t, "nginx")
			faults, kubeconfig := l.behind(r.kubeconfig)
			r.kubeconfig = kubeconfig
			l.Apply(gateway("web", l.address()) + l.service("first", 0) + route("base", "base.Service", []string{"web"}, backend{"first", 1}))
			r.start()
			address := l.addressOf("web")
			l.answers(address, "base.Service", "first")
			r.ready()

			const routes = "/apis/gateway.networking.k8s.io/v1/grpcroutes"
			// Everything that is read of objects, but not who the API server is: that would hold the reading back by itself.
			faults.set(func(r *http.Request) http.HandlerFunc {
				if r.Method == http.MethodGet && !strings.Contains(r.URL.Path, "kube-system") {
					return answer
				}
				return nil
			})
			end := time.Now().Add(overloaded)
			l.until("be too busy", func() error {
				if reply := l.call(address, "base.Service"); reply.Backend() != "first" {
					t.Fatalf("while the API server is too busy: %s", reply.Message)
				}
				if time.Now().Before(end) {
					return errors.New("not yet")
				}
				return nil
			})
			if n := faults.count(routes); n > 25 {
				t.Errorf("all routes were asked for %d times in %s", n, overloaded)
			}
			faults.set(nil)
			l.Apply(route("new", "new.Service", []string{"web"}, backend{"first", 1}))
			l.answers(address, "new.Service", "first")
			l.converged()
			r.end()
		})
	}
}
