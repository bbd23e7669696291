package bridge

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"strings"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
	"google.golang.org/grpc/codes"

	"github.com/gatewright/gatewright/runtime/bridge/frames"
)

// The content types of gRPC and of gRPC-Web, of which browsers speak one of two: with the body as it is, or in base64.
const (
	typeGRPC    = "application/grpc"
	typeWeb     = "application/grpc-web"
	typeWebText = "application/grpc-web-text"
)

// web is what a call of gRPC-Web has: its trailers are the last message of the body, and the body may be text.
type web struct {
	text bool
	// rest is what of the request's base64 waits for more.
	rest []byte
	// headers says that the response has begun, and messages that it is gRPC's, whose messages are followed.
	headers, messages bool
	// head is what has come of the head of the response's next message, and left what is still to come of the one under way.
	head []byte
	left uint64
}

var (
	errText     = errors.New("the body is no base64")
	errTextPart = errors.New("the body ends within a part of base64")
)

// startWeb makes a gRPC call of one of gRPC-Web. Anything else passes as it is.
func (c *call) startWeb() {
	suffix, text, ok := webType(c.contentType())
	if !ok {
		return
	}
	c.web = &web{text: text}
	c.grpc = true
	fields := make([]hpack.HeaderField, 0, len(c.request)+1)
	for _, f := range c.request {
		switch f.Name {
		case "content-type":
			f.Value = typeGRPC + suffix
		case "content-length", "x-grpc-web", "te":
			continue
		}
		fields = append(fields, f)
	}
	c.request = append(fields, hpack.HeaderField{Name: "te", Value: "trailers"})
}

func (c *call) contentType() string {
	for _, f := range c.request {
		if f.Name == "content-type" {
			return f.Value
		}
	}
	return ""
}

// webType reads a content type of gRPC-Web: what it says of the messages, "+proto" or nothing, and whether the body is text.
func webType(value string) (suffix string, text, ok bool) {
	for _, kind := range []string{typeWebText, typeWeb} {
		if len(value) < len(kind) || !strings.EqualFold(value[:len(kind)], kind) {
			continue
		}
		if rest := value[len(kind):]; rest == "" || strings.ContainsRune("+; ", rune(rest[0])) {
			return rest, kind == typeWebText, true
		}
	}
	return "", false, false
}

// decode returns what a part of the request's body stands for, and gives the client back the window that this doesn't take.
func (c *call) decode(data []byte, end bool) ([]byte, error) {
	if c.web == nil || !c.web.text {
		return data, nil
	}
	waited := len(c.web.rest)
	out, err := c.web.decode(data)
	if err == nil && end && len(c.web.rest) > 0 {
		out, err = nil, errTextPart
	}
	// What waits for more has its part of the window until then.
	c.down.Consumed(waited + len(data) - len(c.web.rest) - len(out))
	return out, err
}

func (w *web) decode(data []byte) (out []byte, err error) {
	if bytes.ContainsAny(data, "\r\n") {
		return nil, errText // The decoder would skip them, and what is whole would depend on where the data is cut.
	}
	all := append(w.rest, data...)
	whole := len(all) / 4 * 4
	w.rest = append([]byte(nil), all[whole:]...)
	out = make([]byte, 0, whole/4*3)
	// Each part that a client has sent by itself may be padded.
	for at := 0; at < whole && err == nil; {
		end := whole
		if pad := bytes.IndexByte(all[at:whole], '='); pad >= 0 {
			end = at + (pad/4+1)*4
		}
		if out, err = base64.StdEncoding.AppendDecode(out, all[at:end]); err != nil {
			return nil, errText
		}
		at = end
	}
	return out, nil
}

// respond sends headers or trailers of the response to the client. The lock is held.
func (c *call) respond(fields []hpack.HeaderField, end bool) {
	if c.web == nil {
		c.down.SendHeaders(fields, end)
		return
	}
	var headers, trailers []hpack.HeaderField
	for _, f := range fields {
		switch {
		case f.Name == "content-type" && strings.HasPrefix(f.Value, typeGRPC):
			f.Value = c.web.contentType() + strings.TrimPrefix(f.Value, typeGRPC)
			c.web.messages = true
			headers = append(headers, f)
		case f.Name == "content-length":
		case end && !f.IsPseudo() && f.Name != "content-type":
			trailers = append(trailers, f)
		default:
			headers = append(headers, f)
		}
	}
	if !c.web.headers {
		c.down.SendHeaders(headers, false)
		c.web.headers = !frames.Informational(fields)
	}
	switch {
	case end && (c.web.left > 0 || len(c.web.head) > 0):
		c.down.ResetAfter(http2.ErrCodeInternal) // Trailers would be read as the rest of the message.
	case end:
		c.sendBody(trailerFrame(trailers), true, nil)
	}
}

// follow notes where in a message the response is.
func (w *web) follow(data []byte) {
	for w.messages && len(data) > 0 {
		if w.left > 0 {
			n := min(w.left, uint64(len(data)))
			w.left -= n
			data = data[n:]
			continue
		}
		n := min(5-len(w.head), len(data))
		w.head = append(w.head, data[:n]...)
		data = data[n:]
		if len(w.head) == 5 {
			w.left = uint64(binary.BigEndian.Uint32(w.head[1:]))
			w.head = w.head[:0]
		}
	}
}

func (w *web) contentType() string {
	if w.text {
		return typeWebText
	}
	return typeWeb
}

// respondData sends a part of the response's body to the client.
func (c *call) respondData(data []byte, end bool, from exchange) {
	if c.web != nil {
		c.web.follow(data)
	}
	c.sendBody(data, end, from)
}

// sendBody sends that, in the client's encoding.
func (c *call) sendBody(data []byte, end bool, from exchange) {
	var payee frames.Payee
	if from != nil {
		payee = from
	}
	if c.web != nil && c.web.text && len(data) > 0 {
		encoded := base64.StdEncoding.AppendEncode(nil, data)
		if from != nil {
			payee = &capped{to: from, left: len(data)}
		}
		data = encoded
	}
	c.down.SendData(data, end, payee)
}

// capped gives back no more than came in, where what is sent for it is longer.
type capped struct {
	to   frames.Payee
	left int
}

// Consumed is called by one goroutine after the other.
func (p *capped) Consumed(n int) {
	n = min(n, p.left)
	p.left -= n
	if n > 0 {
		p.to.Consumed(n)
	}
}

// trailerFrame is the message that stands for trailers: a block of HTTP/1.1.
func trailerFrame(fields []hpack.HeaderField) []byte {
	out := make([]byte, 5, 100)
	for _, f := range fields {
		out = append(out, f.Name...)
		out = append(out, ": "...)
		out = append(out, f.Value...)
		out = append(out, "\r\n"...)
	}
	out[0] = 0x80
	binary.BigEndian.PutUint32(out[1:5], uint32(len(out)-5))
	return out
}

// unreadable ends a call whose request makes no sense.
func (c *call) unreadable(err error) {
	c.drop(cancelCode)
	for _, m := range c.mirrors {
		m.cancel()
	}
	c.answer(verdict{codes.InvalidArgument, "bridge: " + err.Error(), 400, err.Error()})
}
