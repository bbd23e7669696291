package bridge

import (
	"encoding/base64"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"golang.org/x/net/http2/hpack"
)

// TestWebTypes: the names of media types have no case, for the proxies neither.
func TestWebTypes(t *testing.T) {
	s := serve(t, echo)
	b := start(t, with(t, Action{Web: true}, s.address))
	for kind, want := range map[string]string{"Application/gRPC-Web+Proto": typeWeb + "+Proto", "APPLICATION/GRPC-WEB-TEXT": typeWebText} {
		body := framed(0, []byte("m"))
		if want == typeWebText {
			body = []byte(base64.StdEncoding.EncodeToString(body))
		}
		g := b.ask(body, "content-type", kind)
		if got := g.field("content-type"); got != want {
			t.Errorf("%s: the answer is %q, want %q: %v", kind, got, want, g.blocks)
			continue
		}
		if messages, trailers := parts(t, g.data, want == typeWebText); len(messages) != 1 || !strings.Contains(trailers, "grpc-status: 0\r\n") {
			t.Errorf("%s: %d messages, trailers %q", kind, len(messages), trailers)
		}
	}
}

// TestWebBodies: what clients send that can't be read, or that no Service takes, is answered by a status, however it is cut.
func TestWebBodies(t *testing.T) {
	s := serve(t, echo)
	b := start(t, with(t, Action{Web: true}, s.address))
	text := func(body []byte) []byte { return []byte(base64.StdEncoding.EncodeToString(body)) }
	good := text(framed(0, []byte("message")))
	for _, c := range []struct {
		name, kind string
		body       []byte
		statuses   string
	}{
		{"trailers of a client", typeWeb, framed(0x80, []byte("grpc-status: 0\r\n")), "13"},
		{"trailers of a client behind a message", typeWeb, append(framed(0, []byte("m")), framed(0x80, []byte("grpc-status: 0\r\n"))...), "13"},
		{"a message of 4 GB", typeWeb, []byte("\x00\xff\xff\xff\xffm"), "8"},
		{"a message that is cut off", typeWeb, []byte("\x00\x00\x00\x00\x09m"), "13"},
		{"lines", typeWebText, []byte(string(good[:8]) + "\n" + string(good[8:])), "3"},
		{"lines of a length that fits", typeWebText, []byte(string(good) + "\r\n\r\n"), "3"},
		{"padding alone", typeWebText, []byte("===="), "3"},
		{"padding for nothing", typeWebText, append(append([]byte{}, good...), '='), "3"},
		{"padding within", typeWebText, append(text([]byte("\x00\x00")), text([]byte("\x00\x00\x01m"))...), "0"},
		{"another alphabet", typeWebText, []byte("AAAAAAH_"), "3"},
		{"nothing", typeWebText, []byte{}, "0"},
	} {
		for _, step := range []int{1, 2, 3, 5, len(c.body) + 1} {
			g := b.open("content-type", c.kind)
			for rest := c.body; ; rest = rest[step:] {
				if len(rest) <= step {
					g.stream.SendData(rest, true, nil)
					break
				}
				g.stream.SendData(rest[:step], false, nil)
			}
			if err := g.wait(t); err != nil {
				t.Errorf("%s by %d: the request ended with %v", c.name, step, err)
				continue
			}
			if _, trailers := parts(t, g.data, c.kind == typeWebText); !strings.Contains(trailers, "grpc-status: "+c.statuses+"\r\n") {
				t.Errorf("%s by %d: %q, want status %s", c.name, step, trailers, c.statuses)
			}
		}
	}
	g := b.open("content-type", typeWebText)
	g.stream.SendData(good[:len(good)-1], false, nil)
	g.stream.SendHeaders([]hpack.HeaderField{{Name: "x-end", Value: "1"}}, true)
	if err := g.wait(t); err != nil {
		t.Errorf("trailers behind a part of base64: %v", err)
	}
	if _, trailers := parts(t, g.data, true); !strings.Contains(trailers, "grpc-status: 3\r\n") {
		t.Errorf("trailers behind a part of base64: %q", trailers)
	}
	await(t, "the end of what was held", func() bool { return b.count("held_bytes", nil) == 0 && b.count("calls_open", nil) == 0 })
}

// TestWebCut: where a call ends within a message of the response, nothing can stand for trailers that isn't read as the rest of the message:
// the response is cut off.
func TestWebCut(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	server := &http.Server{Protocols: protocols, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("content-type", typeGRPC)
		w.Header().Set("trailer", "grpc-status")
		_, _ = io.WriteString(w, "\x00\x00\x00\x00\x01a") // The bridge may have gone.
		if part := r.Header.Get("part"); part != "" {
			message := string(framed(0, []byte(strings.Repeat("b", 100))))
			_, _ = io.WriteString(w, message[:len(part)])
		}
		w.(http.Flusher).Flush()
		switch r.Header.Get("end") {
		case "reset":
			panic(http.ErrAbortHandler)
		case "silent":
			<-r.Context().Done()
		case "trailers":
			w.Header().Set("grpc-status", "0")
		}
	})}
	done := make(chan error, 1)
	go func() { done <- server.Serve(l) }()
	t.Cleanup(func() {
		_ = server.Close() // Its listener has nothing to say.
		<-done
	})
	b := start(t, with(t, Action{Web: true, Timeout: Duration(limit)}, l.Addr().String()))
	for _, kind := range []string{typeWeb, typeWebText} {
		for _, end := range []string{"reset", "silent", "trailers"} {
			for _, part := range []string{"", "1", "12345", "123456", strings.Repeat("x", 104)} {
				fields := []string{"content-type", kind, "end", end}
				if part != "" {
					fields = append(fields, "part", part)
				}
				g := b.open(fields...)
				g.stream.SendData(nil, true, nil)
				if err := g.wait(t); (err != nil) != (part != "") {
					t.Errorf("%s, %s, %d bytes of a message: the response ended with %v", kind, end, len(part), err)
				}
				if part == "" {
					if messages, trailers := parts(t, g.data, kind == typeWebText); len(messages) != 1 || !strings.Contains(trailers, "grpc-status") {
						t.Errorf("%s, %s: %d messages, trailers %q", kind, end, len(messages), trailers)
					}
				} else if strings.Contains(string(g.data), "grpc-status") {
					t.Errorf("%s, %s: trailers within a message: %q", kind, end, g.data)
				}
			}
		}
	}
	await(t, "the end of what was held", func() bool { return b.count("held_bytes", nil) == 0 && b.count("calls_open", nil) == 0 })
}
