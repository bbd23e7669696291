package hostile

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"testing"
	"time"

	"github.com/gatewright/gatewright/test/harness"
)

// hello is a client's first message of TLS, of which libraries let one choose little.
type hello struct {
	// version is the newest one that the client knows.
	version uint16
	name    string
	suites  []uint16
}

const (
	tls11, tls12, tls13 = 0x0302, 0x0303, 0x0304
)

// offer sends a hello and returns the suite that the server takes; the error is its alert.
func (h hello) offer(t *testing.T, address string) (uint16, error) {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(harness.DefaultTimeout)); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Write(h.record()); err != nil {
		t.Fatal(err)
	}
	head := make([]byte, 5)
	if _, err := io.ReadFull(conn, head); err != nil {
		return 0, fmt.Errorf("no answer: %w", err)
	}
	body := make([]byte, binary.BigEndian.Uint16(head[3:]))
	if _, err := io.ReadFull(conn, body); err != nil {
		return 0, fmt.Errorf("no whole answer: %w", err)
	}
	const alert, handshake, beforeSession = 21, 22, 4 + 2 + 32
	switch {
	case head[0] == alert && len(body) == 2:
		return 0, fmt.Errorf("alert %d", body[1])
	case head[0] != handshake || len(body) < beforeSession+1:
		t.Fatalf("the server says something that isn't TLS: %x", head)
	}
	rest := body[beforeSession+1+int(body[beforeSession]):]
	return binary.BigEndian.Uint16(rest), nil
}

// record is the hello as it is sent.
func (h hello) record() []byte {
	var suites []byte
	for _, s := range h.suites {
		suites = binary.BigEndian.AppendUint16(suites, s)
	}
	name := append([]byte{0}, block16([]byte(h.name))...)
	extensions := extension(0, block16(name))
	extensions = append(extensions, extension(10, block16([]byte{0, 29, 0, 23, 0, 24}))...)                // X25519, P-256, P-384
	extensions = append(extensions, extension(11, []byte{1, 0})...)                                        // points as they are
	extensions = append(extensions, extension(13, block16([]byte{4, 3, 8, 4, 4, 1, 5, 3, 8, 5, 2, 1}))...) // ECDSA and RSA
	extensions = append(extensions, extension(16, block16([]byte{2, 'h', '2'}))...)                        // ALPN
	legacy := min(h.version, tls12)
	if h.version >= tls13 {
		// A server that finds a suite asks for a key then.
		extensions = append(extensions, extension(43, []byte{2, 3, 4})...)
		extensions = append(extensions, extension(51, block16(nil))...)
	}
	body := binary.BigEndian.AppendUint16(nil, legacy)
	body = append(body, make([]byte, 32+1)...) // A random number of no worth, and no session.
	body = append(body, block16(suites)...)
	body = append(body, 1, 0)
	body = append(body, block16(extensions)...)
	message := append([]byte{1, byte(len(body) >> 16), byte(len(body) >> 8), byte(len(body))}, body...)
	return append([]byte{22, 3, 1}, block16(message)...)
}

func extension(number uint16, data []byte) []byte {
	return append(binary.BigEndian.AppendUint16(nil, number), block16(data)...)
}

// block16 is data behind its length.
func block16(data []byte) []byte {
	return append(binary.BigEndian.AppendUint16(nil, uint16(len(data))), data...)
}
