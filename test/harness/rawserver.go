package harness

import (
	"bytes"
	"errors"
	"io"
	"net"
	"sync"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// Fields are the fields of a header block, in order: name, value, name, value. Nothing is checked, so a test may
// send what no library does.
type Fields []string

// Get is the first value of a name; "" when there is none.
func (f Fields) Get(name string) string {
	for i := 0; i+1 < len(f); i += 2 {
		if f[i] == name {
			return f[i+1]
		}
	}
	return ""
}

// All are all values of a name, in order.
func (f Fields) All(name string) []string {
	var all []string
	for i := 0; i+1 < len(f); i += 2 {
		if f[i] == name {
			all = append(all, f[i+1])
		}
	}
	return all
}

// maxFrame is how long a frame may be without being agreed upon, and window how much may be sent unread.
const (
	maxFrame = 16384
	window   = 1 << 24
)

// rawConn is one side of an HTTP/2 connection that sends frames as it is told to.
type rawConn struct {
	net.Conn
	framer *http2.Framer

	mu sync.Mutex // For all that is written.
	// held is what is written at once when it is complete; nil sends everything as it comes.
	held    *bytes.Buffer
	block   bytes.Buffer
	encoder *hpack.Encoder
	// fields are those of the block that is being read.
	decoder *hpack.Decoder
	fields  Fields
}

func newRawConn(conn net.Conn) *rawConn {
	c := &rawConn{Conn: conn}
	c.framer = http2.NewFramer(c, conn)
	c.framer.AllowIllegalWrites, c.framer.AllowIllegalReads = true, true
	c.encoder = hpack.NewEncoder(&c.block)
	c.decoder = hpack.NewDecoder(4096, func(f hpack.HeaderField) { c.fields = append(c.fields, f.Name, f.Value) })
	return c
}

// Write sends what the framer writes, or keeps it where it is held.
func (c *rawConn) Write(p []byte) (int, error) {
	if c.held != nil {
		return c.held.Write(p)
	}
	return c.Conn.Write(p)
}

// together sends all that a function writes at once, so that the server reads it at once.
func (c *rawConn) together(write func()) error {
	c.held = &bytes.Buffer{}
	write()
	held := c.held
	c.held = nil
	_, err := c.Conn.Write(held.Bytes())
	return err
}

// greet sends the settings of a side that reads all it gets.
func (c *rawConn) greet() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	err := c.framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: window},
		http2.Setting{ID: http2.SettingMaxConcurrentStreams, Val: 10000})
	return errors.Join(err, c.framer.WriteWindowUpdate(0, window))
}

// headers sends a header block, in as many frames as it takes.
func (c *rawConn) headers(stream uint32, end bool, fields Fields) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.block.Reset()
	for i := 0; i+1 < len(fields); i += 2 {
		if err := c.encoder.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]}); err != nil {
			return err
		}
	}
	rest := c.block.Bytes()
	part := rest[:min(len(rest), maxFrame)]
	rest = rest[len(part):]
	err := c.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: part, EndStream: end, EndHeaders: len(rest) == 0})
	for err == nil && len(rest) > 0 {
		part = rest[:min(len(rest), maxFrame)]
		rest = rest[len(part):]
		err = c.framer.WriteContinuation(stream, len(rest) == 0, part)
	}
	return err
}

// frame is what was read: a whole header block, data, or the end of a stream or of all of them.
type frame struct {
	stream uint32
	fields Fields
	data   []byte
	end    bool
	reset  *http2.ErrCode
	// goAway is set for a GOAWAY, whose last stream is stream.
	goAway *http2.ErrCode
}

// read returns the next frame that says something, and answers those that keep a connection going.
func (c *rawConn) read() (frame, error) {
	for {
		f, err := c.framer.ReadFrame()
		if err != nil {
			return frame{}, err
		}
		out := frame{stream: f.Header().StreamID}
		switch f := f.(type) {
		case *http2.HeadersFrame:
			out.end = f.StreamEnded()
			out.fields, err = c.readBlock(f.HeaderBlockFragment(), f.HeadersEnded())
			return out, err
		case *http2.DataFrame:
			out.data, out.end = bytes.Clone(f.Data()), f.StreamEnded()
			return out, c.credit(f)
		case *http2.RSTStreamFrame:
			out.reset = &f.ErrCode
			return out, nil
		case *http2.GoAwayFrame:
			out.stream, out.goAway = f.LastStreamID, &f.ErrCode
			return out, nil
		case *http2.SettingsFrame:
			err = c.answerSettings(f)
		case *http2.PingFrame:
			if !f.IsAck() {
				c.mu.Lock()
				err = c.framer.WritePing(true, f.Data)
				c.mu.Unlock()
			}
		}
		if err != nil {
			return frame{}, err
		}
	}
}

func (c *rawConn) readBlock(fragment []byte, ended bool) (Fields, error) {
	c.fields = Fields{}
	for {
		if _, err := c.decoder.Write(fragment); err != nil {
			return nil, err
		}
		if ended {
			return c.fields, c.decoder.Close()
		}
		f, err := c.framer.ReadFrame()
		if err != nil {
			return nil, err
		}
		more, ok := f.(*http2.ContinuationFrame)
		if !ok {
			return nil, errors.New("a header block is cut short")
		}
		fragment, ended = more.HeaderBlockFragment(), more.HeadersEnded()
	}
}

// credit gives back the window that data has used.
func (c *rawConn) credit(f *http2.DataFrame) error {
	n := f.Header().Length
	if n == 0 {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	err := c.framer.WriteWindowUpdate(0, n)
	if !f.StreamEnded() {
		err = errors.Join(err, c.framer.WriteWindowUpdate(f.StreamID, n))
	}
	return err
}

func (c *rawConn) answerSettings(f *http2.SettingsFrame) error {
	if f.IsAck() {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if size, ok := f.Value(http2.SettingHeaderTableSize); ok {
		c.encoder.SetMaxDynamicTableSize(size)
	}
	return c.framer.WriteSettingsAck()
}

// RawServer is an HTTP/2 server that answers with the frames that a test tells it to send.
type RawServer struct {
	answer func(*RawStream)

	mu      sync.Mutex
	open    map[net.Conn]bool
	stopped bool
	seen    []Fields
}

// StartRawServer answers every request that comes to one of the addresses with ports, in a goroutine of its own, once
// all of the request is there. It stops with the test.
func StartRawServer(t T, answer func(*RawStream), addresses ...string) *RawServer {
	t.Helper()
	s := &RawServer{answer: answer, open: map[net.Conn]bool{}}
	t.Cleanup(s.stop)
	for _, address := range addresses {
		l, err := net.Listen("tcp", address)
		if err != nil {
			t.Fatalf("a raw server: %v", err)
		}
		t.Cleanup(func() { _ = l.Close() })
		go s.accept(l)
	}
	return s
}

// Requests are the header blocks of all requests so far, in the order in which they ended.
func (s *RawServer) Requests() []Fields {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Fields(nil), s.seen...)
}

// stop closes all connections; the listeners are closed by then.
func (s *RawServer) stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stopped = true
	for conn := range s.open {
		_ = conn.Close()
	}
}

func (s *RawServer) accept(l net.Listener) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		if s.stopped {
			_ = conn.Close()
		}
		s.open[conn] = true
		s.mu.Unlock()
		go s.serve(conn)
	}
}

func (s *RawServer) serve(conn net.Conn) {
	defer func() {
		s.mu.Lock()
		delete(s.open, conn)
		s.mu.Unlock()
		_ = conn.Close() // The test looks at what the other side makes of it.
	}()
	preface := make([]byte, len(http2.ClientPreface))
	if _, err := io.ReadFull(conn, preface); err != nil || string(preface) != http2.ClientPreface {
		return
	}
	c := newRawConn(conn)
	if c.greet() != nil {
		return
	}
	requests := map[uint32]Fields{}
	for {
		f, err := c.read()
		if err != nil {
			return
		}
		if f.fields != nil && requests[f.stream] == nil {
			requests[f.stream] = f.fields
		}
		if f.reset != nil {
			delete(requests, f.stream)
		}
		if fields := requests[f.stream]; f.end && fields != nil {
			delete(requests, f.stream)
			s.mu.Lock()
			s.seen = append(s.seen, fields)
			s.mu.Unlock()
			go s.answer(&RawStream{Request: fields, conn: c, id: f.stream})
		}
	}
}

// RawStream is a request to answer. Errors of the connection don't matter: the test sees them at its other end.
type RawStream struct {
	Request Fields
	conn    *rawConn
	id      uint32
}

// Headers sends a header block: the first one, trailers, or anything else.
func (s *RawStream) Headers(end bool, fields ...string) { _ = s.conn.headers(s.id, end, fields) }

// Data sends bytes as they are; a gRPC message has a prefix, see Message.
func (s *RawStream) Data(end bool, data []byte) {
	s.conn.mu.Lock()
	defer s.conn.mu.Unlock()
	for first := true; first || len(data) > 0; first = false {
		part := data[:min(len(data), maxFrame)]
		data = data[len(part):]
		_ = s.conn.framer.WriteData(s.id, end && len(data) == 0, part)
	}
}

// Reset ends the stream with a code.
func (s *RawStream) Reset(code http2.ErrCode) {
	s.conn.mu.Lock()
	defer s.conn.mu.Unlock()
	_ = s.conn.framer.WriteRSTStream(s.id, code)
}

// CloseConnection closes the connection under the stream, and under all others that it has.
func (s *RawStream) CloseConnection() { _ = s.conn.Close() }

// Write sends bytes behind the frames as they stand.
func (s *RawStream) Write(data []byte) {
	s.conn.mu.Lock()
	defer s.conn.mu.Unlock()
	_, _ = s.conn.Conn.Write(data)
}

// ID is the stream's number, for frames that a test makes itself.
func (s *RawStream) ID() uint32 { return s.id }

// OK answers as a gRPC server does: headers, one message, and the status OK.
func (s *RawStream) OK(message []byte) {
	s.Headers(false, ":status", "200", "content-type", "application/grpc")
	s.Data(false, Message(message))
	s.Headers(true, "grpc-status", "0")
}

// Message is a gRPC message with its prefix.
func Message(data []byte) []byte {
	n := len(data)
	return append([]byte{0, byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}, data...)
}
