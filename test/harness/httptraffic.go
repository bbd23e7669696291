package harness

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// HTTPTraffic is callers that run while things change. Each request is a POST with a key of its own. The client never
// sends one again of which a byte has gone out, but for HTTP/2 where the proxy said that it hasn't touched it (GOAWAY,
// REFUSED_STREAM), so what a proxy loses is seen. Backends count what comes, so that what the proxy sends again is seen too.
type HTTPTraffic struct {
	t        T
	proxy    Proxy
	backends *Backends
	request  HTTPRequest
	services []string
	stop     chan struct{}
	callers  sync.WaitGroup
	// record is a file with a line for each request that didn't go as wanted: when, and what came of it.
	record *os.File

	mu    sync.Mutex
	keys  []string
	wrong map[string]int
	// lost are the keys of requests that crossed the proxy's end of an idle connection, reused how many went on a connection
	// that had served another.
	lost   []string
	reused int
}

// trafficBody is the body of each request: some packets, so that it isn't all in what a proxy reads first.
var trafficBody = bytes.Repeat([]byte("0123456789abcdef"), 256)

// StartHTTPTraffic starts callers, each with a connection of its own, which must never see anything but the Services. Any
// number of callers makes 250 requests a second at most. The caller ends it.
func StartHTTPTraffic(t T, p Proxy, b *Backends, r HTTPRequest, callers int, services ...string) *HTTPTraffic {
	t.Helper()
	f := &HTTPTraffic{t: t, proxy: p, backends: b, request: r, services: services, stop: make(chan struct{}), wrong: map[string]int{}}
	f.request.Method = http.MethodPost
	dir := TempDir(t)
	var err error
	if f.record, err = os.Create(filepath.Join(dir, "requests")); err != nil {
		t.Fatalf("the record of the requests: %v", err)
	}
	pause := max(callerPause, time.Duration(callers)*4*time.Millisecond)
	for i := range callers {
		client := StandardClient(t, r)
		// TempDir's name is the traffic's own.
		name := fmt.Sprintf("%s/%d", dir, i)
		f.callers.Go(func() { f.run(client, name, pause*time.Duration(i)/time.Duration(callers), pause) })
	}
	return f
}

func (f *HTTPTraffic) run(client *http.Client, name string, first, every time.Duration) {
	<-time.After(first)
	pause := time.NewTicker(every)
	defer pause.Stop()
	for n := 0; ; n++ {
		select {
		case <-f.stop:
			return
		case <-pause.C:
		}
		f.post(client, fmt.Sprintf("%s/%d", name, n))
	}
}

// post makes a request and notes what came of it.
func (f *HTTPTraffic) post(client *http.Client, key string) {
	request := f.request.Standard(f.t, bytes.NewReader(trafficBody))
	request.Header.Set(AskKey, key)
	reused := false
	trace := &httptrace.ClientTrace{GotConn: func(info httptrace.GotConnInfo) { reused = info.Reused }}
	request = request.WithContext(httptrace.WithClientTrace(request.Context(), trace))
	got, err := f.echo(client, request)
	what := got
	if err != nil {
		what = err.Error()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.keys = append(f.keys, key)
	if reused {
		f.reused++
	}
	switch {
	case err == nil && slices.Contains(f.services, got):
		return
	case !f.request.HTTP2 && reused && endedIdle(err) && f.backends.Seen(key) == 0:
		f.lost = append(f.lost, key)
	default:
		f.wrong[what]++
	}
	fmt.Fprintf(f.record, "%s %s, reused %t: %s\n", time.Now().Format(time.RFC3339Nano), key, reused, what)
}

// echo is the Service that answered, or what is wrong with the answer.
func (f *HTTPTraffic) echo(client *http.Client, request *http.Request) (string, error) {
	response, err := client.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return "", fmt.Errorf("in the answer: %w", errors.New(err.Error()))
	}
	var echo HTTPEcho
	if err := ReadEcho(bytes.NewReader(body), &echo); err != nil || response.StatusCode != http.StatusOK {
		return fmt.Sprintf("%d %.100q", response.StatusCode, body), nil
	}
	if key := request.Header.Get(AskKey); echo.Header(AskKey) != key || echo.Bytes != int64(len(trafficBody)) {
		return fmt.Sprintf("another request's answer: %s with %d bytes", echo.Header(AskKey), echo.Bytes), nil
	}
	return echo.Service(), nil
}

// endedIdle says whether a connection ended before any byte of an answer. net/http says so as it finds it: by an end of file, a
// reset or a broken pipe, and by its own name for it or a closed connection where it hears of the end while it sends.
func endedIdle(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) ||
		errors.Is(err, net.ErrClosed) || err != nil && strings.Contains(err.Error(), "server closed idle connection")
}

// End stops the traffic, and fails the test when a request got a wrong answer or none, came to backends twice, or when more were
// lost than may be.
func (f *HTTPTraffic) End(mayBeLost int) {
	f.t.Helper()
	close(f.stop)
	f.callers.Wait()
	twice := 0
	for _, key := range f.keys {
		if n := f.backends.Seen(key); n > 1 || n == 1 && slices.Contains(f.lost, key) {
			twice++
			fmt.Fprintf(f.record, "%s: came %d times\n", key, n)
		}
	}
	if err := f.record.Close(); err != nil {
		f.t.Errorf("the record of the requests: %v", err)
	}
	f.t.Logf("%s, HTTP/2 %t: %d requests, %d on used connections, lost with an idle connection: %d, wrong: %v, sent twice: %d",
		f.proxy, f.request.HTTP2, len(f.keys), f.reused, len(f.lost), f.wrong, twice)
	if len(f.wrong) > 0 || twice > 0 || len(f.lost) > mayBeLost {
		f.t.Errorf("%s: the traffic was disturbed", f.proxy)
	}
}
