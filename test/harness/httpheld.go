package harness

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// HTTPHeld is what goes on for a while: an upload, an event stream, and a WebSocket where it is by HTTP/1.1. Each has begun, at
// a backend too.
type HTTPHeld struct {
	backends *Backends
	key      string
	// body is the rest of the upload, uploaded what came of it.
	body     *io.PipeWriter
	uploaded chan error
	sent     int64
	events   *http.Response
	socket   net.Conn
	heard    *bufio.Reader
}

// heldPart is what goes out of an upload at a time.
const heldPart = 1 << 16

// HoldHTTP begins them, with keys that begin so, and closes what is left of them with the test.
func HoldHTTP(t T, b *Backends, r HTTPRequest, key string) *HTTPHeld {
	t.Helper()
	h := &HTTPHeld{backends: b, key: key, uploaded: make(chan error, 1)}
	client := StandardClient(t, r)
	client.Timeout = 0
	h.hear(t, client, r)
	h.upload(t, client, r)
	if !r.HTTP2 {
		h.socket, h.heard = r.Upgrade(t, "websocket")
		_ = h.socket.SetDeadline(time.Time{}) // A connection that is closed says so by reading.
	}
	if err := h.Pass(); err != nil {
		t.Fatalf("%s: %v", key, err)
	}
	return h
}

func (h *HTTPHeld) hear(t T, client *http.Client, r HTTPRequest) {
	t.Helper()
	request := r.Standard(t, nil)
	request.Header.Set(AskMode, ModeHold)
	request.Header.Set(AskKey, h.key+"/events")
	response, err := client.Do(request)
	if err != nil {
		t.Fatalf("%s: an event stream: %v", h.key, err)
	}
	t.Cleanup(func() { _ = response.Body.Close() }) // It was only read from.
	h.events = response
	if err := hears(response.Body, FirstEvent); err != nil {
		t.Fatalf("%s: an event stream: %v", h.key, err)
	}
}

func (h *HTTPHeld) upload(t T, client *http.Client, r HTTPRequest) {
	t.Helper()
	body, write := io.Pipe()
	r.Method = http.MethodPut
	request := r.Standard(t, body)
	request.Header.Set(AskKey, h.key+"/upload")
	t.Cleanup(func() { _ = body.Close() }) // Whoever writes is told.
	h.body = write
	go func() {
		err := h.answered(client, request)
		_ = body.CloseWithError(errors.Join(errors.New("the upload is over"), err)) // It never fails.
		h.uploaded <- err
	}()
}

// answered returns once the upload is answered, as it should be or not.
func (h *HTTPHeld) answered(client *http.Client, request *http.Request) error {
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	var echo HTTPEcho
	if err := ReadEcho(response.Body, &echo); err != nil {
		return fmt.Errorf("%s: %w", response.Status, err)
	}
	if response.StatusCode != http.StatusOK || echo.Bytes != h.sent || echo.Attempt != 1 {
		return fmt.Errorf("%s for %d bytes: %d came, at attempt %d", response.Status, h.sent, echo.Bytes, echo.Attempt)
	}
	return nil
}

// Pass sends a part of the upload and a message by the WebSocket, and returns when both have come through.
func (h *HTTPHeld) Pass() error {
	if h.socket != nil {
		message := strings.Repeat("m", 1000)
		if _, err := io.WriteString(h.socket, message); err != nil {
			return fmt.Errorf("a WebSocket: %w", err)
		}
		if err := hears(h.heard, message); err != nil {
			return fmt.Errorf("a WebSocket: %w", err)
		}
	}
	h.sent += heldPart
	if _, err := h.body.Write(make([]byte, heldPart)); err != nil {
		return fmt.Errorf("an upload: %w", err)
	}
	for deadline := time.Now().Add(DefaultTimeout); h.backends.Received(h.key+"/upload") < h.sent; {
		select {
		case err := <-h.uploaded:
			return fmt.Errorf("an upload ends early: %w", err)
		case <-time.After(closePause):
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("an upload: %d bytes of %d have come", h.backends.Received(h.key+"/upload"), h.sent)
		}
	}
	return nil
}

// End lets them end, and says what is wrong with that.
func (h *HTTPHeld) End() error {
	errs := []error{h.Pass(), h.body.Close()}
	if err := <-h.uploaded; err != nil {
		errs = append(errs, fmt.Errorf("an upload: %w", err))
	}
	h.backends.Release(h.key + "/events")
	if err := hears(h.events.Body, LastEvent); err != nil {
		errs = append(errs, fmt.Errorf("an event stream: %w", err))
	}
	if rest, err := io.ReadAll(h.events.Body); err != nil || len(rest) > 0 {
		errs = append(errs, fmt.Errorf("an event stream goes on with %q, %w", rest, err))
	}
	if h.socket != nil {
		errs = append(errs, h.socket.Close())
	}
	return errors.Join(errs...)
}

// hears reads a text and nothing else.
func hears(in io.Reader, want string) error {
	got := make([]byte, len(want))
	n, err := io.ReadFull(in, got)
	if err == nil && string(got) != want {
		err = fmt.Errorf("got %.20q", got[:n])
	}
	return err
}

// Upgrade asks for another protocol, and fails the test when it isn't given. Everything on the connection takes DefaultTimeout
// at most.
func (r HTTPRequest) Upgrade(t T, protocol string) (net.Conn, *bufio.Reader) {
	t.Helper()
	r.Headers = Fields{"connection", "Upgrade", "upgrade", protocol, "sec-websocket-version", "13",
		"sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="}
	conn := r.Dial(t)
	if _, err := conn.Write(r.Text()); err != nil {
		t.Fatalf("%s%s: %v", r.Host, r.Target, err)
	}
	in := bufio.NewReader(conn)
	response, err := http.ReadResponse(in, nil)
	if err != nil {
		t.Fatalf("%s%s: %v", r.Host, r.Target, err)
	}
	if response.StatusCode != http.StatusSwitchingProtocols || !strings.EqualFold(response.Header.Get("upgrade"), protocol) ||
		response.Header.Get("sec-websocket-accept") != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" {
		t.Fatalf("%s%s: got %s %q", r.Host, r.Target, response.Status, response.Header)
	}
	return conn, in
}
