package generators_test

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"github.com/gatewright/gatewright/generators"
	"github.com/gatewright/gatewright/generators/model"
	"github.com/gatewright/gatewright/test/generators/world"
	"github.com/gatewright/gatewright/test/harness"
)

// secureTeams are a team's own configurations with a server that gives TLS sessions to everybody, at port 8082.
var secureTeams = map[string]string{
	"nginx": `pid p; error_log stderr;
events {}
http {
    access_log off;
    client_body_temp_path a; proxy_temp_path b; fastcgi_temp_path c; scgi_temp_path d; uwsgi_temp_path e;
    include mine/hash.conf;
    include mine/http.conf;
    server {
        listen %s:8082 ssl;
        ssl_certificate mine/certs/pair.crt;
        ssl_certificate_key mine/certs/pair.key;
        ssl_protocols TLSv1.2 TLSv1.3;
        ssl_session_cache shared:gatewright_tls:10m;
        location / { return 204; }
    }
}
`,
	"haproxy": `global
    maxconn 1000
defaults
    mode http
    timeout client 10s
    timeout server 10s
    timeout connect 1s
frontend own
    bind %s:8082 ssl crt mine/certificates/pair.pem no-tls-tickets
    http-request return status 204
`,
}

// TestIncludeSessions: a TLS session that a team's own server has given opens no listener that asks for certificates.
func TestIncludeSessions(t *testing.T) {
	eachProxy(t, func(t *testing.T, s subject, p harness.Proxy) {
		w := world.New(t)
		w.Cluster("cart", 1)
		w.Pair("pair", "a.example.com")
		w.Listener(model.Listener{Name: "l", Port: 8443, Protocol: model.HTTPS, KeyPairs: []string{"pair"},
			Clients: &model.ClientValidation{Certificates: []byte(harness.NewClientCA(t, "CA").PEM())},
			Scopes:  []model.Scope{{Rules: []*model.Rule{w.Rule(model.Match{}, world.To("cart"))}}}})
		marker := filepath.Join(harness.TempDir(t), "m")
		files := world.Render(t, s.new, generators.Options{Layout: generators.LayoutInclude, Folder: "mine", Marker: marker}, w.Model,
			p.Capabilities)
		for i := range files {
			files[i].Path = "mine/" + files[i].Path
		}
		dir := world.Write(t, append(files, generators.File{Path: p.ConfigFile, Data: fmt.Appendf(nil, secureTeams[s.name], w.Address)}))
		process := s.teams.start(t, p, dir)
		process.WaitListening(w.Address+":8443", w.Address+":8082")
		process.WaitAnswer(marker, "/generation", p.Generation(t, filepath.Join(dir, "mine")))
		// Of TLS 1.2 Go resumes what stands in tickets only.
		config := &tls.Config{InsecureSkipVerify: true, ServerName: "a.example.com", MinVersion: tls.VersionTLS13,
			ClientSessionCache: tls.NewLRUClientSessionCache(10)}
		if _, _, err := visit(t, w.Address+":8082", config); err != nil {
			t.Fatal(err)
		}
		if _, resumed, err := visit(t, w.Address+":8082", config); err != nil || !resumed {
			t.Fatalf("the team's server: resumed %t, %v", resumed, err)
		}
		if status, resumed, err := visit(t, w.Address+":8443", config); err == nil && resumed {
			t.Errorf("the session of another server was answered with %s", status)
		}
	})
}

// visit makes a request on a connection of its own, and says whether that resumed a session.
func visit(t *testing.T, address string, config *tls.Config) (status string, resumed bool, err error) {
	t.Helper()
	conn, err := net.DialTimeout("tcp", address, harness.DefaultTimeout)
	if err != nil {
		t.Fatal(err)
	}
	secure := tls.Client(conn, config)
	defer secure.Close()
	if err := secure.SetDeadline(time.Now().Add(harness.DefaultTimeout)); err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Fprintf(secure, "GET / HTTP/1.1\r\nHost: a.example.com\r\n\r\n"); err != nil {
		return "", false, err
	}
	r, err := http.ReadResponse(bufio.NewReader(secure), nil)
	if err != nil {
		return "", secure.ConnectionState().DidResume, err
	}
	return r.Status, secure.ConnectionState().DidResume, nil
}
