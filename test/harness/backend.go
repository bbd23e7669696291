package harness

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
)

// What a client may ask of a backend, as metadata of the call.
const (
	// AskStatus is "code" or "code:message": the call ends with it, once the request is read.
	AskStatus = "ask-status"
	// AskHeader and AskTrailer are "name=value", each any number of times.
	AskHeader  = "ask-header"
	AskTrailer = "ask-trailer"
	// AskDelay is how long to wait before the first answer, as time.ParseDuration reads it.
	AskDelay = "ask-delay"
	// AskMode is how to answer: see the modes.
	AskMode = "ask-mode"
	// AskCount is the number of messages that ModeServerStream sends.
	AskCount = "ask-count"
)

// The modes of an answer.
const (
	// ModeEach, the default, answers the first message with an Echo and each other one with itself. It is
	// right for unary calls and bidirectional streams.
	ModeEach = ""
	// ModeEnd reads all messages and answers once, with an Echo: client streams.
	ModeEnd = "end"
	// ModeServerStream answers the first message with AskCount Echoes.
	ModeServerStream = "server-stream"
	// ModeQuiet sends headers at once and then nothing until the client has closed its side, then an Echo.
	ModeQuiet = "quiet"
	// ModeSame answers every message with itself, the first one too.
	ModeSame = "same"
)

// maxMessage is the largest message that the tests send, in bytes.
const maxMessage = 64 << 20

// Echo is what a backend says about a call.
type Echo struct {
	// Backend is the name that the backend was started with: "namespace/service:port".
	Backend string `json:"backend"`
	// Endpoint is the address and port where the call came in.
	Endpoint  string      `json:"endpoint"`
	Authority string      `json:"authority"`
	Path      string      `json:"path"`
	Metadata  metadata.MD `json:"metadata"`
	// Messages and Bytes are what had been received when the Echo was sent.
	Messages int `json:"messages"`
	Bytes    int `json:"bytes"`
}

// Backends is a gRPC server that listens at many addresses and answers every method of every service,
// saying which of its addresses the call came in at.
type Backends struct {
	t      T
	server *grpc.Server

	mu      sync.Mutex
	names   map[string]string   // endpoint → name
	address map[string][]string // Service → addresses
	slow    map[string]time.Duration
	ill     map[string]bool
	keys    map[string]*keyed
	onHTTP  func(*HTTPEcho)
	onCall  func(e *Echo, ended bool)
}

// NewBackends starts a server that listens nowhere yet. It stops with the test.
func NewBackends(t T) *Backends {
	b := &Backends{t: t, names: map[string]string{}, address: map[string][]string{}}
	b.server = grpc.NewServer(
		grpc.ForceServerCodec(rawCodec{}),
		grpc.UnknownServiceHandler(b.handle),
		grpc.MaxRecvMsgSize(maxMessage), grpc.MaxSendMsgSize(maxMessage),
		grpc.MaxConcurrentStreams(10000),
	)
	t.Cleanup(b.server.Stop)
	return b
}

// Address is the i-th address of a Service, the same one every time.
func (b *Backends) Address(service string, i int) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	for len(b.address[service]) <= i {
		b.address[service] = append(b.address[service], Address(b.t))
	}
	return b.address[service][i]
}

// Listen answers gRPC at an address and port under a name. A second call for the same place changes nothing.
func (b *Backends) Listen(name, address string, port int32) {
	b.t.Helper()
	b.listen(name, address, port, func(l net.Listener) {
		go func() {
			if err := b.server.Serve(l); err != nil && !errors.Is(err, grpc.ErrServerStopped) {
				b.t.Errorf("backend %s: %v", name, err)
			}
		}()
	})
}

// ListenHTTP answers HTTP/1.1, HTTP/2 in cleartext, and gRPC at an address and port under a name.
func (b *Backends) ListenHTTP(name, address string, port int32) {
	b.t.Helper()
	b.listen(name, address, port, b.serveBoth)
}

func (b *Backends) listen(name, address string, port int32, serve func(net.Listener)) {
	b.t.Helper()
	endpoint := net.JoinHostPort(address, strconv.Itoa(int(port)))
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, ok := b.names[endpoint]; ok {
		return
	}
	l, err := net.Listen("tcp", endpoint)
	if err != nil {
		b.t.Fatalf("backend %s: %v", name, err)
	}
	b.names[endpoint] = name
	serve(l)
}

// Slow makes every call that comes in at an address wait before its first answer.
func (b *Backends) Slow(address string, by time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.slow == nil {
		b.slow = map[string]time.Duration{}
	}
	b.slow[address] = by
}

// Ill has an address say that it isn't serving when it is asked by gRPC's health protocol, or that it is.
func (b *Backends) Ill(address string, ill bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ill == nil {
		b.ill = map[string]bool{}
	}
	b.ill[address] = ill
}

// healthMethod is what asks for that.
const healthMethod = "/grpc.health.v1.Health/Check"

// health answers a HealthCheckResponse.
func (b *Backends) health(stream grpc.ServerStream, endpoint string) error {
	host, _, _ := net.SplitHostPort(endpoint) // "" is no ill address.
	b.mu.Lock()
	ill := b.ill[host]
	b.mu.Unlock()
	answer := []byte{1 << 3, 1}
	if ill {
		answer[1] = 2
	}
	return stream.SendMsg(answer)
}

// OnCall calls a function with each gRPC call, when it has come and when it is answered. It is set before the first one.
func (b *Backends) OnCall(f func(e *Echo, ended bool)) { b.onCall = f }

// Stop ends the server: its ports refuse from now on.
func (b *Backends) Stop() { b.server.Stop() }

func (b *Backends) handle(_ any, stream grpc.ServerStream) error {
	md, _ := metadata.FromIncomingContext(stream.Context())
	echo := b.echo(stream, md)
	if echo.Path == healthMethod {
		return b.health(stream, echo.Endpoint)
	}
	if b.onCall != nil {
		b.onCall(echo, false)
		defer b.onCall(echo, true)
	}
	if err := sayFirst(stream, md); err != nil {
		return err
	}
	if err := b.wait(stream, echo.Endpoint); err != nil {
		return err
	}
	switch mode := first(md, AskMode); mode {
	case ModeEach, ModeSame:
		return echo.each(stream, md, mode == ModeSame)
	case ModeEnd, ModeQuiet:
		if err := echo.readAll(stream); err != nil {
			return err
		}
		return echo.send(stream, md)
	case ModeServerStream:
		return echo.many(stream, md)
	default:
		return status.Errorf(codes.InvalidArgument, "%s: no mode %q", AskMode, mode)
	}
}

func (b *Backends) echo(stream grpc.ServerStream, md metadata.MD) *Echo {
	path, _ := grpc.MethodFromServerStream(stream)
	e := &Echo{Path: path, Metadata: md, Authority: first(md, ":authority")}
	if p, ok := peer.FromContext(stream.Context()); ok && p.LocalAddr != nil {
		e.Endpoint = p.LocalAddr.String()
	}
	b.mu.Lock()
	e.Backend = b.names[e.Endpoint]
	b.mu.Unlock()
	return e
}

// sayFirst sends the headers and keeps the trailers that the call asked for, and waits as it asked.
func sayFirst(stream grpc.ServerStream, md metadata.MD) error {
	if err := stream.SetHeader(pairs(md.Get(AskHeader))); err != nil {
		return err
	}
	stream.SetTrailer(pairs(md.Get(AskTrailer)))
	if first(md, AskMode) == ModeQuiet {
		if err := stream.SendHeader(nil); err != nil {
			return err
		}
	}
	if text := first(md, AskDelay); text != "" {
		delay, err := time.ParseDuration(text)
		if err != nil {
			return status.Errorf(codes.InvalidArgument, "%s: %v", AskDelay, err)
		}
		return pause(stream, delay)
	}
	return nil
}

// wait holds a call at a slow address.
func (b *Backends) wait(stream grpc.ServerStream, endpoint string) error {
	host, _, _ := net.SplitHostPort(endpoint) // "" is no slow address.
	b.mu.Lock()
	delay := b.slow[host]
	b.mu.Unlock()
	if delay == 0 {
		return nil
	}
	return pause(stream, delay)
}

func pause(stream grpc.ServerStream, delay time.Duration) error {
	select {
	case <-time.After(delay):
		return nil
	case <-stream.Context().Done():
		return status.FromContextError(stream.Context().Err()).Err()
	}
}

func (e *Echo) each(stream grpc.ServerStream, md metadata.MD, same bool) error {
	for {
		message, err := e.read(stream)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if e.Messages == 1 && !same {
			err = e.send(stream, md)
		} else if err = asked(md); err == nil {
			err = stream.SendMsg(message)
		}
		if err != nil {
			return err
		}
	}
}

func (e *Echo) many(stream grpc.ServerStream, md metadata.MD) error {
	if _, err := e.read(stream); err != nil {
		return err
	}
	n, err := strconv.Atoi(first(md, AskCount))
	if err != nil {
		return status.Errorf(codes.InvalidArgument, "%s: %v", AskCount, err)
	}
	for range n {
		if err := e.send(stream, md); err != nil {
			return err
		}
	}
	return nil
}

func (e *Echo) readAll(stream grpc.ServerStream) error {
	for {
		if _, err := e.read(stream); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
	}
}

func (e *Echo) read(stream grpc.ServerStream) ([]byte, error) {
	var message []byte
	if err := stream.RecvMsg(&message); err != nil {
		return nil, err
	}
	e.Messages++
	e.Bytes += len(message)
	return message, nil
}

func (e *Echo) send(stream grpc.ServerStream, md metadata.MD) error {
	if err := asked(md); err != nil {
		return err
	}
	text, err := json.Marshal(e)
	if err != nil {
		return status.Error(codes.Internal, err.Error())
	}
	return stream.SendMsg(text)
}

// asked is the status that the call asked for, nil for none.
func asked(md metadata.MD) error {
	text := first(md, AskStatus)
	if text == "" {
		return nil
	}
	number, message, _ := strings.Cut(text, ":")
	code, err := strconv.Atoi(number)
	if err != nil {
		return status.Errorf(codes.InvalidArgument, "%s: %v", AskStatus, err)
	}
	return status.Error(codes.Code(code), message)
}

func first(md metadata.MD, name string) string {
	if values := md.Get(name); len(values) > 0 {
		return values[0]
	}
	return ""
}

func pairs(texts []string) metadata.MD {
	md := metadata.MD{}
	for _, text := range texts {
		name, value, _ := strings.Cut(text, "=")
		md.Append(name, value)
	}
	return md
}

// rawCodec passes messages on as bytes, so that no message type is needed.
type rawCodec struct{}

func (rawCodec) Name() string { return "proto" }

func (rawCodec) Marshal(v any) ([]byte, error) {
	switch message := v.(type) {
	case []byte:
		return message, nil
	case *[]byte:
		return *message, nil
	}
	return nil, fmt.Errorf("a message is bytes here, not %T", v)
}

func (rawCodec) Unmarshal(data []byte, v any) error {
	message, ok := v.(*[]byte)
	if !ok {
		return fmt.Errorf("a message is bytes here, not %T", v)
	}
	*message = append([]byte(nil), data...)
	return nil
}
