package http1

import (
	"bufio"
	"io"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/http2/hpack"
)

// FuzzRequest reads any text as the head of a request. What is taken net/http takes for the same request, and it is the same when it is
// written and read again.
func FuzzRequest(f *testing.F) {
	f.Add("GET / HTTP/1.1\r\nHost: e\r\n\r\n")
	f.Add("POST /a?b HTTP/1.0\r\nContent-Length: 12\r\nConnection: x, close\r\nX: 1\r\n\r\n")
	f.Add("OPTIONS * HTTP/1.1\r\nHost: e:80\r\nTransfer-Encoding: Chunked\r\nTE: trailers\r\n\r\n")
	f.Add("GET http://e?q HTTP/1.1\r\nHost: e\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
	f.Fuzz(func(t *testing.T, text string) {
		text, whole := headOf(text)
		h, err := parseRequest(text, nil)
		if err != nil || !whole {
			return
		}
		r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(text)))
		if err != nil {
			if strings.Contains(err.Error(), "invalid URL") || strings.Contains(err.Error(), "parse ") {
				return // Paths are nobody's business here.
			}
			t.Fatalf("%q is taken, and not by net/http: %v", text, err)
		}
		if r.Method != h.method || (len(r.TransferEncoding) > 0) != h.chunked || !h.chunked && r.ContentLength != max(h.length, 0) {
			t.Errorf("%q: %s, %d bytes, chunked: %v; net/http reads %s, %d, %v", text, h.method, h.length, h.chunked, r.Method, r.ContentLength,
				r.TransferEncoding)
		}
		c := &Conn{o: Options{Client: true}}
		c.wake.L = &c.mu
		s := &Stream{conn: c}
		s.SendHeaders(h.fields, h.length <= 0 && !h.chunked)
		end := strings.Index(string(c.out), "\r\n\r\n")
		again, err := parseRequest(string(c.out[:end+4]), nil)
		if err != nil || !reflect.DeepEqual(sortedFields(again.fields), sortedFields(h.fields)) || again.chunked != h.chunked {
			t.Errorf("%q is written as %q, which reads as %v (%v), not as %v", text, c.out, again.fields, err, h.fields)
		}
	})
}

// headOf is what stands up to the first empty line, when all lines end as they should.
func headOf(text string) (string, bool) {
	in := &input{nc: nil, buf: []byte(text), w: len(text)}
	end := strings.Index(text, "\r\n\r\n")
	if end < 0 || strings.Count(text[:end+4], "\n") != strings.Count(text[:end+4], "\r\n") {
		return text, false
	}
	text, err := in.head(1<<20, 0)
	return text, err == nil
}

// sortedFields are those that a reader looks at, in some order.
func sortedFields(fields []hpack.HeaderField) []hpack.HeaderField {
	out := slices.DeleteFunc(slices.Clone(fields), func(f hpack.HeaderField) bool {
		return equal(f.Name, "content-length") && f.Value == "0" || equal(f.Name, "te") || equal(f.Name, "host") && f.Value == ""
	})
	slices.SortFunc(out, func(a, b hpack.HeaderField) int { return strings.Compare(a.Name+"\x00"+a.Value, b.Name+"\x00"+b.Value) })
	return out
}

// FuzzResponse does the same with responses.
func FuzzResponse(f *testing.F) {
	f.Add("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n")
	f.Add("HTTP/1.0 404\r\n\r\n")
	f.Add("HTTP/1.1 200 \r\nTransfer-Encoding: chunked\r\nConnection: close, y\r\n\r\n")
	f.Fuzz(func(t *testing.T, text string) {
		text, whole := headOf(text)
		h, err := parseResponse(text, nil)
		if err != nil || !whole {
			return
		}
		r, err := http.ReadResponse(bufio.NewReader(strings.NewReader(text)), nil)
		if err != nil {
			t.Fatalf("%q is taken, and not by net/http: %v", text, err)
		}
		bodiless := h.status[0] == '1' || h.status == "204" || h.status == "304"
		if !strings.HasPrefix(r.Status, h.status) || !bodiless && ((len(r.TransferEncoding) > 0) != h.chunked ||
			!h.chunked && r.ContentLength != h.length) {
			t.Errorf("%q: %s, %d, %v; net/http reads %s, %d, %v", text, h.status, h.length, h.chunked, r.Status, r.ContentLength, r.TransferEncoding)
		}
	})
}

// FuzzChunks reads any chunked body, in two parts: what is taken is what net/http takes.
func FuzzChunks(f *testing.F) {
	f.Add("2\r\nab\r\n0\r\n\r\n", 3)
	f.Add("2;x=y\r\nab\r\n00A\r\n0123456789\r\n0\r\nT: 1\r\n\r\n", 9)
	f.Fuzz(func(t *testing.T, text string, cut int) {
		cut = max(0, min(cut, len(text)))
		in := &input{buf: make([]byte, len(text))}
		in.w = copy(in.buf, text[:cut])
		var k chunked
		body, last, err := k.decode(in)
		got := string(body)
		if err == nil && !last {
			in.w += copy(in.buf[in.w:], text[cut:])
			body, last, err = k.decode(in)
			got += string(body)
		} else if last {
			in.w += copy(in.buf[in.w:], text[cut:])
		}
		if err != nil || !last {
			return
		}
		rest := string(in.data())
		if end := strings.Index("\r\n"+rest, "\r\n\r\n"); end < 0 {
			return
		}
		if _, whole := headOf("X: 1\r\n" + rest); !whole {
			return
		}
		r, err := http.ReadResponse(bufio.NewReader(strings.NewReader("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"+text)), nil)
		if err != nil {
			t.Fatal(err)
		}
		want, err := io.ReadAll(r.Body)
		trailers := strings.HasPrefix(rest, "\r\n")
		if string(want) != got || err != nil && trailers {
			t.Errorf("%q is read as %q; net/http reads %q, %v", text, got, want, err)
		}
	})
}
