package controller

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// outages tell when the API server couldn't be asked. What was known of the cluster may be of another one by then: with
// the same address, and resourceVersions that mean something else.
type outages struct {
	mu   sync.Mutex
	next chan struct{}
	// quiet is until when the API server asked for nothing more to be asked.
	quiet time.Time
}

func newOutages() *outages { return &outages{next: make(chan struct{})} }

// after is closed by the next outage.
func (o *outages) after() <-chan struct{} {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.next
}

// note says that there was an outage.
func (o *outages) note() {
	o.mu.Lock()
	defer o.mu.Unlock()
	close(o.next)
	o.next = make(chan struct{})
}

// longestQuiet is how long an API server may ask to be left alone.
const longestQuiet = time.Minute

// retryAfter notes that the API server wants to be left alone, as a header says: for some seconds, or "".
func (o *outages) retryAfter(header string) {
	seconds, err := strconv.Atoi(header)
	if err != nil || seconds <= 0 {
		return
	}
	until := time.Now().Add(min(time.Duration(min(seconds, 3600))*time.Second, longestQuiet))
	o.mu.Lock()
	defer o.mu.Unlock()
	if until.After(o.quiet) {
		o.quiet = until
	}
}

// pause is how long nothing is to be asked; 0 when that is allowed.
func (o *outages) pause() time.Duration {
	o.mu.Lock()
	defer o.mu.Unlock()
	return max(0, time.Until(o.quiet))
}

// aloneKey marks requests whose failure says nothing about the API server.
type aloneKey struct{}

// alone is for requests about one object, which may fail for a reason of the object's own.
func alone(ctx context.Context) context.Context { return context.WithValue(ctx, aloneKey{}, true) }

// wrap looks at every answer of the API server, for rest.Config.
func (o *outages) wrap(next http.RoundTripper) http.RoundTripper { return &observer{next, o} }

type observer struct {
	http.RoundTripper
	outages *outages
}

// RoundTrip makes a request and looks whether there is an answer. One that reads gets an error of the server's when
// etcd is away; what is written may get one from a webhook.
func (o *observer) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := o.RoundTripper.RoundTrip(r)
	if r.Context().Value(aloneKey{}) != nil {
		return response, err
	}
	switch {
	case err != nil:
		o.failed(r.Context())
		return response, err
	case r.Method != http.MethodGet:
		return response, nil
	case response.StatusCode >= http.StatusInternalServerError,
		response.StatusCode == http.StatusTooManyRequests && r.URL.Query().Get("watch") != "":
		o.outages.retryAfter(response.Header.Get("Retry-After"))
		o.outages.note()
	}
	response.Body = &observedBody{ReadCloser: response.Body, ctx: r.Context(), observer: o}
	return response, nil
}

// failed notes an outage, unless the one who asked has given up.
func (o *observer) failed(ctx context.Context) {
	if ctx.Err() == nil {
		o.outages.note()
	}
}

// WrappedRoundTripper is for client-go, which looks for what is below.
func (o *observer) WrappedRoundTripper() http.RoundTripper { return o.RoundTripper }

// observedBody is an answer that may break off.
type observedBody struct {
	io.ReadCloser
	ctx      context.Context
	observer *observer
	closed   atomic.Bool
}

func (b *observedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil && !errors.Is(err, io.EOF) && !b.closed.Load() {
		b.observer.failed(b.ctx)
	}
	return n, err
}

func (b *observedBody) Close() error {
	b.closed.Store(true)
	return b.ReadCloser.Close()
}
