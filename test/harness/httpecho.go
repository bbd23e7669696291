package harness

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// What a client may ask of a backend of HTTPRoutes, as headers of the request, beside AskStatus (a number), AskHeader,
// AskDelay, AskCount and AskMode.
const (
	// AskKey names a request to the test: see Backends.Seen, Received and Release.
	AskKey = "ask-key"
	// AskFail is how many of the first requests with the key get the status that AskStatus has; all others get 200.
	AskFail = "ask-fail"
)

// BackendHeader has HTTPEcho.Backend, for answers without a body.
const BackendHeader = "x-backend"

// The modes of an answer to an HTTP request; without one it is an HTTPEcho, once all of the body has been read.
const (
	// ModeHold answers with the headers of an event stream and one event, and with the last one when the test releases the key.
	ModeHold = "hold"
	// ModeHang answers nothing until the client goes.
	ModeHang = "hang"
	// ModeDrip answers with AskCount bytes, AskDelay before each.
	ModeDrip = "drip"
	// ModeLarge answers with AskCount bytes.
	ModeLarge = "large"
	// ModeClose closes the connection in place of an answer, ModeCut in the middle of a body.
	ModeClose = "close"
	ModeCut   = "cut"
	// ModeJunk answers with what is no HTTP.
	ModeJunk = "junk"
)

// The events of ModeHold.
const (
	FirstEvent = "data: first\n\n"
	LastEvent  = "data: last\n\n"
)

// HTTPEcho is what a backend says about an HTTP request.
type HTTPEcho struct {
	// Backend and Endpoint are as in Echo.
	Backend  string `json:"backend"`
	Endpoint string `json:"endpoint"`
	Method   string `json:"method"`
	// Target is what stands in the request line, or :path, byte for byte.
	Target string `json:"target"`
	// Host is the first Host, or :authority.
	Host string `json:"host"`
	// Proto is "HTTP/1.1" or "HTTP/2.0".
	Proto string `json:"proto"`
	// Headers have lower-case names; those of HTTP/1.1 have the hosts too.
	Headers map[string][]string `json:"headers"`
	// Bytes is how long the body was.
	Bytes int64 `json:"bytes"`
	// Attempt counts the requests with the same AskKey.
	Attempt int `json:"attempt,omitempty"`
}

// Service is the Service that answered, with "namespace/" before it unless that is "default".
func (e *HTTPEcho) Service() string {
	name, _, _ := strings.Cut(e.Backend, ":")
	return strings.TrimPrefix(name, "default/")
}

// Header is the values of a header, joined as RFC 9110 says.
func (e *HTTPEcho) Header(name string) string { return strings.Join(e.Headers[name], ", ") }

// keyed is what a test knows of the requests with one key.
type keyed struct {
	seen     int
	received int64
	released chan struct{}
}

// key returns what is known of a key. The lock is held.
func (b *Backends) key(name string) *keyed {
	if b.keys == nil {
		b.keys = map[string]*keyed{}
	}
	if b.keys[name] == nil {
		b.keys[name] = &keyed{released: make(chan struct{})}
	}
	return b.keys[name]
}

// Seen is how many requests with a key have come, and Received how many bytes of their bodies.
func (b *Backends) Seen(key string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.key(key).seen
}

// Received is how many bytes of the bodies of requests with a key have come so far.
func (b *Backends) Received(key string) int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.key(key).received
}

// Release lets the answers of ModeHold with a key end. It may be called once for each key.
func (b *Backends) Release(key string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	close(b.key(key).released)
}

// OnHTTP calls a function with each HTTP request that comes, before it is answered, but for its body. It is set before the
// first one.
func (b *Backends) OnHTTP(f func(*HTTPEcho)) { b.onHTTP = f }

// serveHTTP answers a request of any version as it asks.
func (b *Backends) serveHTTP(w http.ResponseWriter, r *http.Request) {
	e := b.httpEcho(r)
	b.mu.Lock()
	key := b.key(r.Header.Get(AskKey))
	key.seen++
	e.Attempt = key.seen
	b.mu.Unlock()
	if b.onHTTP != nil {
		b.onHTTP(e)
	}
	w.Header().Set(BackendHeader, e.Backend)
	for _, text := range r.Header.Values(AskHeader) {
		name, value, _ := strings.Cut(text, "=")
		w.Header().Add(name, value)
	}
	mode := r.Header.Get(AskMode)
	if h, ok := w.(*http1Answer); ok && h.upgrade(r) {
		return
	}
	if mode == ModeHold || mode == ModeHang {
		b.hold(w, r, e, mode == ModeHang)
		return
	}
	err := b.readBody(r, e)
	delay, _ := time.ParseDuration(r.Header.Get(AskDelay)) // None is no delay.
	if err != nil || mode != ModeDrip && !rest(r, delay) {
		giveUp(w)
		return
	}
	n, _ := strconv.Atoi(r.Header.Get(AskCount))
	switch mode {
	case "":
		answerEcho(w, r, e)
	case ModeLarge:
		_, _ = io.CopyN(w, pattern{}, int64(n)) // The client sees what is missing.
	case ModeDrip:
		drip(w, r, n, delay)
	case ModeCut:
		w.Header().Set("content-length", "100")
		_, _ = io.WriteString(w, "cut here")
		w.(http.Flusher).Flush()
		giveUp(w)
	case ModeJunk:
		if h, ok := w.(*http1Answer); ok {
			h.raw("this is no HTTP\r\n\r\n")
		}
		giveUp(w)
	default:
		giveUp(w)
	}
}

// pattern is a body without end.
type pattern struct{}

func (pattern) Read(p []byte) (int, error) {
	return copy(p, bytes.Repeat([]byte("0123456789abcdef"), len(p)/16+1)), nil
}

// httpEcho is what is known of a request before its body.
func (b *Backends) httpEcho(r *http.Request) *HTTPEcho {
	e := &HTTPEcho{Method: r.Method, Target: r.RequestURI, Host: r.Host, Proto: r.Proto, Headers: map[string][]string{}}
	for name, values := range r.Header {
		e.Headers[strings.ToLower(name)] = values
	}
	if a, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr); ok {
		e.Endpoint = a.String()
	}
	b.mu.Lock()
	e.Backend = b.names[e.Endpoint]
	b.mu.Unlock()
	return e
}

// readBody reads all of a body and counts it as it comes.
func (b *Backends) readBody(r *http.Request, e *HTTPEcho) error {
	buffer := make([]byte, 32<<10)
	for {
		n, err := r.Body.Read(buffer)
		e.Bytes += int64(n)
		if n > 0 {
			b.mu.Lock()
			b.key(r.Header.Get(AskKey)).received += int64(n)
			b.mu.Unlock()
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func answerEcho(w http.ResponseWriter, r *http.Request, e *HTTPEcho) {
	status, _ := strconv.Atoi(r.Header.Get(AskStatus))
	if text := r.Header.Get(AskFail); text != "" {
		if fail, err := strconv.Atoi(text); err != nil || e.Attempt > fail {
			status = 0
		}
	}
	if status == 0 {
		status = http.StatusOK
	}
	text, err := json.Marshal(e)
	if err != nil {
		status, text = http.StatusInternalServerError, []byte(err.Error())
	}
	if w.Header().Get("content-type") == "" {
		w.Header().Set("content-type", "application/json")
	}
	w.WriteHeader(status)
	_, _ = w.Write(text) // The client sees what is missing.
}

// hold says the first event and waits for the test; for a hung answer it waits without a word.
func (b *Backends) hold(w http.ResponseWriter, r *http.Request, e *HTTPEcho, hang bool) {
	b.mu.Lock()
	released := b.key(r.Header.Get(AskKey)).released
	b.mu.Unlock()
	if _, ok := w.(*http1Answer); ok {
		// No request is read behind it: see watch. Unsaid, a proxy would send the next one to a connection that ends.
		w.Header().Set("connection", "close")
	}
	if !hang {
		w.Header().Set("content-type", "text/event-stream")
		_, _ = io.WriteString(w, FirstEvent) // The client sees what is missing.
		w.(http.Flusher).Flush()
	}
	if b.readBody(r, e) != nil {
		giveUp(w)
		return
	}
	if h, ok := w.(*http1Answer); ok {
		h.watch()
	}
	select {
	case <-released:
		_, _ = io.WriteString(w, LastEvent)
	case <-r.Context().Done():
		giveUp(w)
	}
}

// drip sends a byte at a time.
func drip(w http.ResponseWriter, r *http.Request, n int, every time.Duration) {
	for range n {
		if !rest(r, every) {
			giveUp(w)
			return
		}
		_, _ = w.Write([]byte(".")) // The client sees what is missing.
		w.(http.Flusher).Flush()
	}
}

// rest waits, and says whether the client is still there.
func rest(r *http.Request, d time.Duration) bool {
	if d == 0 {
		return true
	}
	select {
	case <-time.After(d):
		return true
	case <-r.Context().Done():
		return false
	}
}

// giveUp ends an answer where it is.
func giveUp(w http.ResponseWriter) {
	if h, ok := w.(*http1Answer); ok {
		h.close()
		return
	}
	panic(http.ErrAbortHandler)
}

// String is an echo in short, for messages.
func (e *HTTPEcho) String() string {
	return fmt.Sprintf("%s got %s %s for %s by %s", e.Service(), e.Method, e.Target, e.Host, e.Proto)
}
