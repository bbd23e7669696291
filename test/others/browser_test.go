package others

import (
	"crypto/sha256"
	"crypto/x509"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"html"
	"io"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gatewright/gatewright/test/harness"
)

// patience is how long anything may take that other programs do.
const patience = 60 * time.Second

// programs are the browser and the Python that has gRPC, the first two of the list.
func programs(t *testing.T) (browser, python string) {
	t.Helper()
	list := exec.Command("sh", filepath.Join(harness.Root(t), "test", "others.sh"), "--list")
	var said strings.Builder
	list.Stderr = &said
	out, err := list.Output()
	all := strings.Fields(string(out))
	if err != nil || len(all) != 3 {
		t.Fatalf("%v: %s", err, said.String())
	}
	return all[0], all[1]
}

//go:embed testdata/client.js
var clientScript string

// page is one page: where it comes from, what it calls, and what it saw of that.
type page struct {
	name, origin string
	// opaque has no origin that a browser tells of: it is "null".
	opaque bool
	calls  []pageCall
}

// pageCall is a call that a page makes; client.js reads it.
type pageCall struct {
	Name    string            `json:"name"`
	URL     string            `json:"url"`
	Text    bool              `json:"text"`
	Message string            `json:"message"`
	Times   int               `json:"times,omitempty"`
	Headers map[string]string `json:"headers,omitempty"`
	// Take gives the call up behind so many messages.
	Take int `json:"take,omitempty"`

	want pageSaw
}

// pageSaw is what the page saw of a call.
type pageSaw struct {
	Name     string            `json:"name"`
	Status   int               `json:"status,omitempty"`
	Type     string            `json:"type,omitempty"`
	Messages []string          `json:"messages"`
	Headers  map[string]string `json:"headers"`
	Trailers map[string]string `json:"trailers"`
	// Where the status was: in the headers or in the body.
	Where   string `json:"where,omitempty"`
	Aborted bool   `json:"aborted,omitempty"`
	// Error is what stands for a response that a page may not read.
	Error string `json:"error,omitempty"`
}

// pages is the server that pages come from and report to.
type pages struct {
	t       *testing.T
	address string
	pages   map[string]*page
	saw     chan report
}

type report struct {
	page string
	saw  []pageSaw
}

// servePages listens; pages are added before a browser looks.
func servePages(t *testing.T) *pages {
	t.Helper()
	s := &pages{t: t, address: net.JoinHostPort(harness.Address(t), "8000"), pages: map[string]*page{}, saw: make(chan report, 10)}
	l, err := net.Listen("tcp", s.address)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /all", s.all)
	mux.HandleFunc("GET /page/{name}", s.page)
	mux.HandleFunc("POST /saw/{name}", s.report)
	mux.HandleFunc("GET /client.js", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("content-type", "text/javascript")
		_, _ = io.WriteString(w, clientScript) // The browser may have gone.
	})
	server := &http.Server{Handler: mux}
	done := make(chan error, 1)
	go func() { done <- server.Serve(l) }()
	t.Cleanup(func() {
		_ = server.Close() // Its listener has nothing to say.
		<-done
	})
	return s
}

// all is a page that shows the others, each from its own origin.
func (s *pages) all(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("content-type", "text/html")
	for _, p := range s.pages {
		sandbox := ""
		if p.opaque {
			sandbox = ` sandbox="allow-scripts"`
		}
		_, _ = fmt.Fprintf(w, "<iframe src=%q%s></iframe>\n", p.origin+"/page/"+p.name, sandbox)
	}
}

func (s *pages) page(w http.ResponseWriter, r *http.Request) {
	p := s.pages[r.PathValue("name")]
	if p == nil {
		http.NotFound(w, r)
		return
	}
	text, err := json.Marshal(p.calls)
	if err != nil {
		s.t.Error(err)
	}
	w.Header().Set("content-type", "text/html")
	_, _ = fmt.Fprintf(w, "<!DOCTYPE html><script src=/client.js></script><script id=calls type=application/json>%s</script>"+
		"<script>report(%q, JSON.parse(document.getElementById('calls').textContent))</script>", text, html.EscapeString(p.name))
}

func (s *pages) report(_ http.ResponseWriter, r *http.Request) {
	got := report{page: r.PathValue("name")}
	if err := json.NewDecoder(r.Body).Decode(&got.saw); err != nil {
		s.t.Errorf("what page %s saw: %v", got.page, err)
	}
	s.saw <- got
}

// show has a browser show all pages, and returns what each saw. Hosts of the map are at the addresses that it has for them;
// of those with TLS it takes this certificate.
func (s *pages) show(hosts map[string]string, pair harness.KeyPair) map[string][]pageSaw {
	s.t.Helper()
	browser, _ := programs(s.t)
	var rules []string
	for host, address := range hosts {
		rules = append(rules, "MAP "+host+" "+address)
	}
	block, _ := pem.Decode(pair.Certificate)
	certificate, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		s.t.Fatal(err)
	}
	key := sha256.Sum256(certificate.RawSubjectPublicKeyInfo)
	p := harness.Start(s.t, browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
		"--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-features=HttpsUpgrades",
		"--disable-dev-shm-usage", "--user-data-dir="+harness.TempDir(s.t), "--host-resolver-rules="+strings.Join(rules, ","),
		"--ignore-certificate-errors-spki-list="+base64.StdEncoding.EncodeToString(key[:]), "http://"+s.address+"/all")
	saw := map[string][]pageSaw{}
	late := time.After(patience)
	for len(saw) < len(s.pages) {
		select {
		case r := <-s.saw:
			saw[r.page] = r.saw
		case <-late:
			s.t.Fatalf("only %d of %d pages say what they saw: %v\n%s", len(saw), len(s.pages), saw, p.Log())
		}
	}
	p.Signal(syscall.SIGTERM)
	_ = p.Ended() // It says nothing about the pages.
	return saw
}
