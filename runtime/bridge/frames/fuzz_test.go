package frames

import (
	"io"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// FuzzRead feeds both sides of a connection with anything: they end, without a panic and with nothing held.
func FuzzRead(f *testing.F) {
	f.Add([]byte{0, 0, 0, 4, 0, 0, 0, 0, 0}, true)
	settings := appendSettings(nil, []http2.Setting{{ID: http2.SettingInitialWindowSize, Val: 10}})
	f.Add(append(settings, appendWindowUpdate(nil, 0, 5)...), false)
	f.Add(append(settings, appendHeaders(nil, 1, []byte{0x83, 0x86, 0x84}, false, 1)...), false)
	f.Add(append(settings, appendHeaders(appendData(nil, 1, []byte("data"), false), 1, []byte{0x88}, false, maxFrame)...), true)
	f.Add(appendGoAway(append(appendReset(nil, 1, 0), settings...), 1, 0), true)
	f.Fuzz(func(t *testing.T, text []byte, asClient bool) {
		budget := NewBudget(1000)
		nc := &script{text: text}
		if !asClient {
			nc.text = append([]byte(http2.ClientPreface), text...)
		}
		c := New(nc, Options{Client: asClient, Budget: budget, MaxStreams: 10, MaxHeaderBytes: 1000, ReadBuffer: 100, Accept: echoes})
		if asClient {
			for range 2 {
				e := &echo{}
				e.s, _ = c.Open(e)
				e.s.SendHeaders(request, false)
				e.s.SendData(make([]byte, 20), false, nil)
			}
		}
		if c.Serve() == nil {
			t.Error("it ended without a reason")
		}
		if n := c.Streams(); n != 0 {
			t.Errorf("%d streams are left", n)
		}
		if n := budget.Used(); n != 0 {
			t.Errorf("%d bytes are held", n)
		}
	})
}

// FuzzHeaders reads any block of headers: what the handler gets is well formed.
func FuzzHeaders(f *testing.F) {
	f.Add([]byte{0x83, 0x86, 0x84, 0x40, 1, 'a', 1, 'b'})
	f.Fuzz(func(t *testing.T, block []byte) {
		text := append([]byte(http2.ClientPreface), appendSettings(nil, nil)...)
		nc := &script{text: appendHeaders(text, 1, block, true, maxFrame)}
		c := New(nc, Options{Budget: NewBudget(0), MaxStreams: 1, MaxHeaderBytes: 1000, ReadBuffer: 100,
			Accept: func(s *Stream, fields []hpack.HeaderField, end bool) Handler {
				size := uint32(0)
				for _, f := range fields {
					size += f.Size()
					if !f.IsPseudo() && !validName(f.Name) {
						t.Errorf("field %q", f.Name)
					}
				}
				if size > 1000 {
					t.Errorf("%d bytes of headers", size)
				}
				return echoes(s, fields, end)
			}})
		_ = c.Serve()
	})
}

// script is a connection that says what it is told to, and takes everything.
type script struct {
	text []byte
	nop
}

func (s *script) Read(p []byte) (int, error) {
	if len(s.text) == 0 {
		return 0, io.EOF
	}
	n := copy(p, s.text)
	s.text = s.text[n:]
	return n, nil
}
