package bridge

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// drama is what both sides of a random exchange do, which a seed says.
type drama struct {
	method, path        string
	request, response   http.Header
	sends, answers      []int // sizes of parts
	sized               bool  // the request says its length
	status              int
	sized2              bool // and so does the response
	trailers, trailers2 bool
	early, abort        bool
}

func newDrama(seed uint64) drama {
	r := rand.New(rand.NewPCG(seed, 2))
	d := drama{
		method: []string{"GET", "GET", "POST", "POST", "PUT", "HEAD", "DELETE", "OPTIONS", "PATCH", "PROPFIND"}[r.IntN(10)],
		path:   "/" + []string{"", "a/b", "%2F%61", "a%20b?c=%zz", "?x&y=1;2", "a//../b", "~!$&'()*+,;=:@"}[r.IntN(7)],
		status: []int{200, 200, 200, 201, 204, 206, 304, 404, 500, 299}[r.IntN(10)],
		sized:  r.IntN(2) == 0, sized2: r.IntN(2) == 0, trailers: r.IntN(4) == 0, trailers2: r.IntN(4) == 0,
		early: r.IntN(10) == 0, abort: r.IntN(30) == 0,
		request: randomHeader(r, "Q"), response: randomHeader(r, "R"),
	}
	if d.method != "GET" && d.method != "HEAD" {
		for range r.IntN(4) {
			d.sends = append(d.sends, randomSize(r))
		}
	}
	for range r.IntN(4) {
		d.answers = append(d.answers, randomSize(r))
	}
	return d
}

func randomHeader(r *rand.Rand, prefix string) http.Header {
	h := http.Header{}
	for range r.IntN(5) {
		value := make([]byte, r.IntN(40))
		for i := range value {
			value[i] = "abc \t,;=\"\\\x80\xff:%"[r.IntN(14)]
		}
		h.Add(prefix+"-"+strconv.Itoa(r.IntN(4)), strings.Trim(string(value), " \t"))
	}
	return h
}

// perform is the server's part. It says in a header what it has got.
func perform(w http.ResponseWriter, r *http.Request) {
	seed, err := strconv.ParseUint(r.Header.Get("Seed"), 10, 64)
	if err != nil {
		panic(err)
	}
	d := newDrama(seed)
	rc := http.NewResponseController(w)
	_ = rc.EnableFullDuplex()
	saw := fmt.Sprintf("%s %s %s %d %v %s", r.Method, r.RequestURI, r.Host, r.ContentLength, r.TransferEncoding, listed(r.Header))
	if !d.early {
		sum := sha256.New()
		n, err := io.Copy(sum, r.Body)
		saw += fmt.Sprintf(" %d bytes %x %v %s", n, sum.Sum(nil), err, listed(r.Trailer))
	}
	h := w.Header()
	maps.Copy(h, d.response)
	h.Set("Date", "now")
	h.Set("Saw", strconv.QuoteToASCII(saw))
	total := 0
	for _, n := range d.answers {
		total += n
	}
	if d.sized2 {
		h.Set("Content-Length", strconv.Itoa(total))
	}
	if d.trailers2 {
		h.Set("Trailer", "End")
	}
	if d.early || d.abort {
		// The connection may end here, with a response that is whole. A server that doesn't say so loses what is sent on it next, and a
		// POST of that can't be sent again, by whoever it was sent.
		h.Set("Connection", "close")
	}
	w.WriteHeader(d.status)
	for i, n := range d.answers {
		if d.abort && i == len(d.answers)-1 {
			panic(http.ErrAbortHandler)
		}
		_, _ = w.Write(payload(n, i)) // Without a body it says so.
		if i%2 == 0 {
			_ = rc.Flush()
		}
	}
	h.Set("End", "e")
}

func listed(h http.Header) string {
	var out strings.Builder
	for _, name := range slices.Sorted(maps.Keys(h)) {
		fmt.Fprintf(&out, "%s: %q\n", name, h[name])
	}
	return out.String()
}

const brokenOff = "it breaks off"

// played is the client's part, and what it got.
func played(ctx context.Context, client *http.Client, seed uint64) string {
	d := newDrama(seed)
	var body io.Reader = http.NoBody
	var all []byte
	var parts []io.Reader
	for i, n := range d.sends {
		all = append(all, payload(n, i)...)
		parts = append(parts, bytes.NewReader(payload(n, i)))
	}
	if len(parts) > 0 {
		// Whether a body that is empty is sent in chunks depends on how long net/http takes to look.
		if body = io.MultiReader(parts...); d.sized || len(all) == 0 {
			body = bytes.NewReader(all)
		}
	}
	r, err := http.NewRequestWithContext(ctx, d.method, "http://example/", body)
	if err != nil {
		return err.Error()
	}
	r.URL.Path, r.URL.Opaque = "", d.path // Nothing of it is written another way.
	maps.Copy(r.Header, d.request)
	r.Header.Set("Seed", strconv.FormatUint(seed, 10))
	r.Header.Set("User-Agent", "random")
	if d.trailers && len(all) > 0 && !d.sized {
		r.Trailer = http.Header{"Sum": {"s"}, "Other": {"o"}}
	}
	resp, err := client.Do(r)
	if err != nil {
		return brokenOff
	}
	got, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if err != nil {
		return brokenOff
	}
	return fmt.Sprintf("%s %s %s%d %v\n%d bytes %x\n%s", resp.Proto, resp.Status, listed(resp.Header), resp.ContentLength,
		resp.TransferEncoding, len(got), sha256.Sum256(got), listed(resp.Trailer))
}

// TestRandomPlain makes exchanges of HTTP/1.1 straight and through the bridge: applications see no difference.
func TestRandomPlain(t *testing.T) {
	seed := *randomSeed
	if seed == 0 {
		seed = rand.Uint64N(1 << 32)
	}
	n := 10 * *randomCalls
	if testing.Short() {
		n /= 10
	}
	t.Logf("-seed %d", seed)
	address := serveHTTP(t, perform)
	b := start(t, plainly(plain(t, address)))
	var callers sync.WaitGroup
	var results sync.Map
	const each = 8
	for caller := range each {
		straight, through := webTo(t, "tcp", address, false), b.web(false)
		callers.Go(func() {
			for i := caller; i < n && !t.Failed(); i += each {
				at := seed + uint64(i)
				ctx, cancel := context.WithTimeout(context.Background(), patience)
				want, got := played(ctx, straight, at), played(ctx, through, at)
				cancel()
				if newDrama(at).early && (want == brokenOff || got == brokenOff) {
					continue // net/http's server closes when much of a request wasn't read, and what it has sent may be lost.
				}
				if want == brokenOff && got != want && !strings.Contains(got, " 502 ") || want != brokenOff && got != want {
					t.Errorf("exchange of seed %d: through the bridge\n%s\nand straight\n%s", at, got, want)
				}
				results.Store(want, true)
			}
		})
	}
	callers.Wait()
	kinds := 0
	results.Range(func(any, any) bool { kinds++; return true })
	if kinds < n/2 && !t.Failed() {
		t.Errorf("%d exchanges had %d results only: they aren't random", n, kinds)
	}
	b.ended()
}
