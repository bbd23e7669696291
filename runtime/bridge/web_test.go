package bridge

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// framed is a message as a body has it.
func framed(flag byte, message []byte) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{flag}, uint32(len(message))), message...)
}

// parts takes a body apart: its messages, and the trailers behind them.
func parts(t *testing.T, body []byte, text bool) (messages [][]byte, trailers string) {
	t.Helper()
	if text {
		w := &web{}
		var err error
		if body, err = w.decode(body); err != nil || len(w.rest) > 0 {
			t.Fatalf("the body: %v, %d bytes too many", err, len(w.rest))
		}
	}
	for len(body) > 0 {
		if trailers != "" || len(body) < 5 {
			t.Fatalf("behind the trailers: %q", body)
		}
		n := int(binary.BigEndian.Uint32(body[1:5]))
		if len(body) < 5+n {
			t.Fatalf("a message is cut off: %q", body)
		}
		if body[0] == 0x80 {
			trailers = string(body[5 : 5+n])
		} else {
			messages = append(messages, body[5:5+n])
		}
		body = body[5+n:]
	}
	return messages, trailers
}

// TestWeb has calls of gRPC-Web be answered by a gRPC server.
func TestWeb(t *testing.T) {
	s := serve(t, func(srv any, s grpc.ServerStream) error {
		md, _ := metadata.FromIncomingContext(s.Context())
		if got := md.Get("content-type"); len(got) != 1 || strings.Contains(got[0], "web") {
			return status.Errorf(codes.DataLoss, "content-type %q", got)
		}
		s.SetTrailer(metadata.Pairs("t", "1"))
		if len(md.Get("fail")) > 0 {
			return status.Error(codes.NotFound, "no such thing")
		}
		if len(md.Get("silent")) > 0 {
			<-s.Context().Done()
			return nil
		}
		if err := s.SendHeader(metadata.Pairs("h", "2")); err != nil {
			return err
		}
		return echo(srv, s)
	})
	b := start(t, with(t, Action{Web: true, Timeout: Duration(limit)}, s.address))
	large := bytes.Repeat([]byte("large"), 200_000)
	for _, kind := range []string{typeWeb, typeWeb + "+proto", typeWebText, typeWebText + "+proto"} {
		text := strings.HasPrefix(kind, typeWebText)
		encode := func(messages ...[]byte) []byte {
			var out []byte
			for _, m := range messages {
				m = framed(0, m)
				if text {
					m = []byte(base64.StdEncoding.EncodeToString(m)) // Each has its own padding.
				}
				out = append(out, m...)
			}
			return out
		}
		for name, want := range map[string][][]byte{
			"unary": {[]byte("m")}, "several": {[]byte("a"), {}, []byte("bcd")}, "large": {large, []byte("x")},
		} {
			b.configure(with(t, Action{Web: true}, s.address))
			g := b.ask(encode(want...), "content-type", kind, "x-grpc-web", "1")
			messages, trailers := parts(t, g.data, text)
			if len(messages) != len(want) {
				t.Fatalf("%s, %s: %d messages came back: %v", kind, name, len(messages), g.blocks)
			}
			for i := range want {
				if !bytes.Equal(messages[i], want[i]) {
					t.Errorf("%s, %s: message %d is wrong", kind, name, i)
				}
			}
			if !strings.Contains(trailers, "grpc-status: 0\r\n") || !strings.Contains(trailers, "t: 1\r\n") {
				t.Errorf("%s, %s: trailers %q", kind, name, trailers)
			}
			if g.field("content-type") != kind && g.field("content-type") != kind+"+proto" || g.field("h") != "2" || g.field("grpc-status") != "" {
				t.Errorf("%s, %s: headers %v", kind, name, g.blocks)
			}
		}
		g := b.ask(encode([]byte("m")), "content-type", kind, "fail", "1")
		if messages, trailers := parts(t, g.data, text); len(messages) > 0 || !strings.Contains(trailers, "grpc-status: 5\r\n") ||
			!strings.Contains(trailers, "grpc-message: no such thing\r\n") || g.field(":status") != "200" {
			t.Errorf("%s: an error: %q, %v", kind, trailers, g.blocks)
		}
		b.configure(with(t, Action{Web: true, Timeout: Duration(limit)}, s.address))
		begun := time.Now()
		g = b.ask(encode([]byte("m")), "content-type", kind, "silent", "1")
		if _, trailers := parts(t, g.data, text); !strings.Contains(trailers, "grpc-status: 4\r\n") || time.Since(begun) < earliest {
			t.Errorf("%s: a deadline: %q", kind, trailers)
		}
	}
	g := b.ask([]byte("AAA"), "content-type", typeWebText)
	if _, trailers := parts(t, g.data, true); !strings.Contains(trailers, "grpc-status: 3\r\n") {
		t.Errorf("a body that is cut off: %q", trailers)
	}
	g = b.ask([]byte("!!!!"), "content-type", typeWebText)
	if _, trailers := parts(t, g.data, true); !strings.Contains(trailers, "grpc-status: 3\r\n") {
		t.Errorf("a body that is no base64: %q", trailers)
	}
	// gRPC passes the same action.
	if _, err := unary(background(t), b.client(), []byte("m")); err != nil {
		t.Errorf("gRPC: %v", err)
	}
	await(t, "the end of what was held", func() bool { return b.count("held_bytes", nil) == 0 && b.count("calls_open", nil) == 0 })
}

// TestWebOff leaves gRPC-Web alone where nobody asked for it.
func TestWebOff(t *testing.T) {
	s := serve(t, echo)
	b := start(t, plain(t, s.address))
	if g := b.ask(framed(0, nil), "content-type", typeWeb); g.field(":status") == "200" && g.field("grpc-status") == "" {
		t.Errorf("got %v", g.blocks)
	}
}

func FuzzWebText(f *testing.F) {
	f.Add([]byte("AAAA"), 2)
	f.Add([]byte("QQ==QUI="), 3)
	f.Add([]byte("QQ\nQQ\nQQ\nQQ\nAAAA"), 4)
	f.Fuzz(func(t *testing.T, text []byte, cut int) {
		cut = max(0, min(cut, len(text)))
		whole, parted := &web{}, &web{}
		want, err := whole.decode(text)
		first, err1 := parted.decode(text[:cut])
		second, err2 := parted.decode(text[cut:])
		if got := append(first, second...); err == nil && (err1 != nil || err2 != nil || !bytes.Equal(got, want) || !bytes.Equal(whole.rest, parted.rest)) {
			t.Errorf("%q, cut at %d: %q (%v, %v), want %q", text, cut, got, err1, err2, want)
		}
	})
}
