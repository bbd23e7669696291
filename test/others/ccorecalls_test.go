package others

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/gatewright/gatewright/test/harness"
)

// TestCCore: clients and servers on the C core behind a proxy and the bridge get what those of grpc-go get.
func TestCCore(t *testing.T) {
	for _, p := range harness.Ends(harness.Proxies(t)) {
		t.Run(p.String(), func(t *testing.T) {
			w := newCoreWorld(t, p)
			for _, service := range []string{"core", "go"} {
				s := &coreScene{coreWorld: w, t: t, service: service}
				for _, part := range []struct {
					name string
					do   func(*coreScene)
				}{
					{"unary", (*coreScene).unary}, {"streams", (*coreScene).streams}, {"metadata", (*coreScene).metadata},
					{"cancel", (*coreScene).cancelled}, {"deadlines", (*coreScene).deadlines}, {"retries", (*coreScene).retries},
					{"copies", (*coreScene).copies}, {"replaced", (*coreScene).replaced}, {"many", (*coreScene).many}, {"refused", (*coreScene).refused},
				} {
					t.Run(service+" "+part.name, func(t *testing.T) {
						w.core.t, w.t, s.t = t, t, t
						part.do(s)
					})
				}
			}
			t.Run("an endpoint ends", func(t *testing.T) { w.core.t, w.t = t, t; endpointEnds(t, w) })
			t.Run("grpc-go in front", func(t *testing.T) { goInFront(t, w) })
		})
	}
}

// coreScene are calls to one of the Services.
type coreScene struct {
	*coreWorld
	t       *testing.T
	service string
}

// order is a call of a method of acme.v1, with metadata.
func (s *coreScene) order(op, rule string, pairs ...string) order {
	o := order{Op: op, Host: s.service + ".example.com", Path: "/acme.v1." + rule + "/Get", Text: "hello"}
	for i := 0; i < len(pairs); i += 2 {
		o.Metadata = append(o.Metadata, [2]string{pairs[i], pairs[i+1]})
	}
	return o
}

// unary: messages of all sizes come back as they went, plain and compressed, and so do statuses.
func (s *coreScene) unary() {
	for _, rule := range []string{"Long", "Twice", "Copied"} {
		for _, times := range []int{1, 20_000, 1 << 20} {
			for _, gzip := range []bool{false, true} {
				o := s.order("do", rule, harness.AskMode, harness.ModeSame)
				o.Text, o.Times, o.Gzip = "01234567", times, gzip
				sum := sha256.Sum256([]byte(strings.Repeat(o.Text, o.Times)))
				if got := s.core.tell(o); !got.is(0) || got.Size != 8*times || got.Sum != hex.EncodeToString(sum[:]) {
					s.t.Errorf("%s, %d bytes, compressed %t: %v", rule, 8*times, gzip, got)
				}
			}
		}
	}
	got := s.core.tell(s.order("do", "Long", harness.AskStatus, "5:not here: 100 %"))
	if !got.is(5) || got.Details != "not here: 100 %" {
		s.t.Errorf("a status: %v", got)
	}
	if got := s.core.tell(s.order("do", "Nobody")); !got.is(12) || got.Details != "no GRPCRoute rule matches" {
		s.t.Errorf("no rule: %v", got)
	}
}

// streams: messages come one by one in both directions, and a client that has said all still hears.
func (s *coreScene) streams() {
	for _, rule := range []string{"Long", "Twice", "Copied"} {
		bidi := s.order("open", rule, harness.AskMode, harness.ModeSame)
		bidi.Name = "bidi"
		s.core.tell(bidi)
		for i := range 20 {
			text := fmt.Sprintf("message %d", i)
			s.core.tell(order{Op: "send", Name: "bidi", Text: text})
			if got := s.core.tell(order{Op: "receive", Name: "bidi"}); got.Text != text {
				s.t.Fatalf("%s, message %d of a stream in both directions: %v", rule, i, got)
			}
		}
		s.core.tell(order{Op: "close", Name: "bidi"})
		if got := s.core.tell(order{Op: "receive", Name: "bidi"}); !got.is(0) {
			s.t.Errorf("%s, the end of a stream in both directions: %v", rule, got)
		}
		up := s.order("open", rule, harness.AskMode, harness.ModeQuiet)
		up.Name = "up"
		s.core.tell(up)
		for range 20 {
			s.core.tell(order{Op: "send", Name: "up", Text: "0123456789", Times: 10_000})
		}
		if rule != "Twice" { // Whether that is sent again, the first message says.
			s.core.tell(order{Op: "headers", Name: "up"})
		}
		s.core.tell(order{Op: "close", Name: "up"})
		if got := s.core.tell(order{Op: "receive", Name: "up"}).echo(); got.Messages != 20 || got.Bytes != 2_000_000 {
			s.t.Errorf("%s, a stream of the client: %+v", rule, got)
		}
		if got := s.core.tell(order{Op: "receive", Name: "up"}); !got.is(0) {
			s.t.Errorf("%s, the end of a stream of the client: %v", rule, got)
		}
		down := s.order("open", rule, harness.AskMode, harness.ModeServerStream, harness.AskCount, "50")
		down.Name = "down"
		s.core.tell(down)
		s.core.tell(order{Op: "send", Name: "down", Text: "go"})
		s.core.tell(order{Op: "close", Name: "down"})
		n := 0
		got := s.core.tell(order{Op: "receive", Name: "down"})
		for ; got.Code == nil; got = s.core.tell(order{Op: "receive", Name: "down"}) {
			n++
		}
		if !got.is(0) || n != 50 {
			s.t.Errorf("%s, a stream of the server: %d messages, then %v", rule, n, got)
		}
	}
}

// metadata goes both ways as it is, in binary too.
func (s *coreScene) metadata() {
	binary := "\x00\x01\x7f \xc3\xa9,"
	got := s.core.tell(s.order("do", "Long", "x-one", "a", "x-one", "b", "x-two-bin", hex.EncodeToString([]byte(binary)),
		harness.AskHeader, "x-h=1", harness.AskHeader, "x-h-bin=head", harness.AskTrailer, "x-t=2", harness.AskTrailer, "x-t-bin=tail"))
	e := got.echo()
	if one, two := e.Metadata["x-one"], e.Metadata["x-two-bin"]; !reflect.DeepEqual(one, []string{"a", "b"}) || !reflect.DeepEqual(two, []string{binary}) {
		s.t.Errorf("the server gets %q and %q: %v", one, two, got)
	}
	for _, want := range [][2]string{{"x-h", "1"}, {"x-h-bin", hex.EncodeToString([]byte("head"))}} {
		if !has(got.Headers, want) {
			s.t.Errorf("no header %q: %v", want, got)
		}
	}
	for _, want := range [][2]string{{"x-t", "2"}, {"x-t-bin", hex.EncodeToString([]byte("tail"))}} {
		if !has(got.Trailers, want) {
			s.t.Errorf("no trailer %q: %v", want, got)
		}
	}
}

func has(list [][2]string, want [2]string) bool {
	for _, f := range list {
		if f == want {
			return true
		}
	}
	return false
}

// cancelled: a server hears soon of a call that is given up, and the copy of it ends too.
func (s *coreScene) cancelled() {
	for _, rule := range []string{"Long", "Copied"} {
		key := s.key()
		o := s.order("open", rule, harness.AskMode, harness.ModeQuiet, "x-key", key)
		o.Name = "given up"
		s.core.tell(o)
		s.core.tell(order{Op: "send", Name: o.Name, Text: "m"})
		s.core.tell(order{Op: "headers", Name: o.Name})
		s.wait(event{"begin", s.service, key, 0}, 1)
		if rule == "Copied" {
			s.wait(event{"begin", "shadow-" + s.service, key, 0}, 1)
		}
		s.core.tell(order{Op: "cancel", Name: o.Name})
		if got := s.core.tell(order{Op: "receive", Name: o.Name}); !got.is(1) {
			s.t.Errorf("%s: %v", rule, got)
		}
		s.wait(event{"end", s.service, key, -1}, 1)
		if rule == "Copied" {
			s.wait(event{"end", "shadow-" + s.service, key, -1}, 1)
		}
	}
}

// deadlines: those of the client and those of a policy end calls that are silent or have begun to answer, at the server too.
func (s *coreScene) deadlines() {
	for _, c := range []struct {
		rule    string
		timeout float64
	}{{"Long", 0.3}, {"Short", 0}, {"Short", 10}} {
		key := s.key()
		silent := s.order("do", c.rule, harness.AskDelay, "30s", "x-key", key)
		silent.Timeout = c.timeout
		got := s.core.tell(silent)
		if took := got.Took; !got.is(4) || took < (0.3-slack.Seconds()) || took > quick.Seconds() {
			s.t.Errorf("%+v, silent: %v", c, got)
		}
		s.wait(event{"end", s.service, key, -1}, 1)
		key = s.key()
		quiet := s.order("open", c.rule, harness.AskMode, harness.ModeQuiet, "x-key", key)
		quiet.Name, quiet.Timeout = "quiet", c.timeout
		s.core.tell(quiet)
		s.core.tell(order{Op: "headers", Name: "quiet"})
		if got := s.core.tell(order{Op: "receive", Name: "quiet"}); !got.is(4) {
			s.t.Errorf("%+v, quiet: %v", c, got)
		}
		s.wait(event{"end", s.service, key, -1}, 1)
		if got := s.core.tell(s.order("do", c.rule)); got.echo().Backend == "" {
			s.t.Errorf("%+v, in time: %v", c, got)
		}
	}
}

// retries: a call starts as often as the policy says, and once where nothing is to be sent again.
func (s *coreScene) retries() {
	for _, c := range []struct {
		rule         string
		code, starts int
	}{{"Twice", 14, 3}, {"Twice", 5, 1}, {"Twice", 0, 1}, {"Long", 14, 1}} {
		key := s.key()
		for range 5 {
			if got := s.core.tell(s.order("do", c.rule, harness.AskStatus, strconv.Itoa(c.code), "x-key", key)); !got.is(c.code) {
				s.t.Errorf("%+v: %v", c, got)
			}
		}
		s.wait(event{"end", s.service, key, -1}, 5*c.starts)
		s.wait(event{"begin", s.service, key, -1}, 5*c.starts)
	}
}

// copies: a mirror gets all of a call.
func (s *coreScene) copies() {
	key := s.key()
	for range 20 {
		if got := s.core.tell(s.order("do", "Copied", "x-key", key)); got.echo().Messages != 1 {
			s.t.Errorf("a call that is copied: %v", got)
		}
	}
	s.wait(event{"end", "shadow-" + s.service, key, 1}, 20)
	key = s.key()
	o := s.order("open", "Copied", harness.AskMode, harness.ModeEnd, "x-key", key)
	o.Name = "copied"
	s.core.tell(o)
	for range 30 {
		s.core.tell(order{Op: "send", Name: o.Name, Text: "0123456789", Times: 1000})
	}
	s.core.tell(order{Op: "close", Name: o.Name})
	if got := s.core.tell(order{Op: "receive", Name: o.Name}); got.echo().Messages != 30 {
		s.t.Errorf("a stream that is copied: %v", got)
	}
	s.wait(event{"end", "shadow-" + s.service, key, 30}, 1)
}

// refused: a server may end a call while the client still sends, and its status arrives.
func (s *coreScene) refused() {
	for _, rule := range []string{"Long", "Twice", "Copied"} {
		o := s.order("open", rule, harness.AskStatus, "9:enough")
		o.Name = "too much"
		s.core.tell(o)
		for range 30 {
			s.core.tell(order{Op: "send", Name: o.Name, Text: "0123456789", Times: 30_000})
		}
		if got := s.core.tell(order{Op: "receive", Name: o.Name}); !got.is(9) || got.Details != "enough" {
			s.t.Errorf("%s: %v", rule, got)
		}
	}
}

// many: more streams are open than one connection to a server may have, and all of them are served.
func (s *coreScene) many() {
	const n = 70
	for i := range n {
		o := s.order("open", "Long", harness.AskMode, harness.ModeQuiet)
		o.Name = fmt.Sprint("many ", i)
		s.core.tell(o)
		s.core.tell(order{Op: "send", Name: o.Name, Text: "m"})
	}
	for i := range n {
		s.core.tell(order{Op: "headers", Name: fmt.Sprint("many ", i)})
	}
	for i := range n {
		name := fmt.Sprint("many ", i)
		s.core.tell(order{Op: "close", Name: name})
		if got := s.core.tell(order{Op: "receive", Name: name}); got.echo().Messages != 1 {
			s.t.Errorf("%s: %v", name, got)
		}
		if got := s.core.tell(order{Op: "receive", Name: name}); !got.is(0) {
			s.t.Errorf("the end of %s: %v", name, got)
		}
	}
}

// replaced: a new bridge takes calls over and the old one lets its streams end.
func (s *coreScene) replaced() {
	o := s.order("open", "Long", harness.AskMode, harness.ModeSame)
	o.Name = "long"
	s.core.tell(o)
	turn := func() {
		s.t.Helper()
		s.core.tell(order{Op: "send", Name: o.Name, Text: "turn"})
		if got := s.core.tell(order{Op: "receive", Name: o.Name}); got.Text != "turn" {
			s.t.Errorf("a stream while the bridge is replaced: %v", got)
		}
	}
	turn()
	more := s.callers()
	more()
	old := s.served.ReplaceBridge()
	turn()
	more()
	turn()
	s.core.tell(order{Op: "close", Name: o.Name})
	if got := s.core.tell(order{Op: "receive", Name: o.Name}); !got.is(0) {
		s.t.Errorf("a stream that outlives the bridge: %v", got)
	}
	if err := old.Ended(); err != nil {
		s.t.Errorf("the old bridge ended with %v", err)
	}
	more()
	if got := s.core.tell(order{Op: "stop"}); len(got.Failed) != 0 {
		s.t.Errorf("of the calls while the bridge is replaced: %v", got)
	}
}

// callers call until they are told to stop. It returns what waits for some more good calls.
func (s *coreScene) callers() (more func()) {
	o := s.order("begin", "Long")
	o.Callers = 5
	s.core.tell(o)
	return func() {
		s.t.Helper()
		before := s.core.tell(order{Op: "count"}).Good
		harness.Until(s.t, "make calls", patience, func() error {
			if got := s.core.tell(order{Op: "count"}); got.Good < before+50 && len(got.Failed) == 0 {
				return fmt.Errorf("%d calls", got.Good-before)
			}
			return nil
		}, s.served.Bridge.Log)
	}
}

// endpointEnds: a server on the C core that ends lets its streams end, and no call fails: others take them.
func endpointEnds(t *testing.T, w *coreWorld) {
	s := &coreScene{coreWorld: w, t: t, service: "core"}
	var names []string
	for i := range 10 {
		o := s.order("open", "Long", harness.AskMode, harness.ModeSame)
		o.Name = fmt.Sprint("open ", i)
		s.core.tell(o)
		names = append(names, o.Name)
	}
	turn := func() {
		t.Helper()
		for _, name := range names {
			s.core.tell(order{Op: "send", Name: name, Text: "turn"})
			if got := s.core.tell(order{Op: "receive", Name: name}); got.Text != "turn" {
				t.Errorf("%s: %v", name, got)
			}
		}
	}
	turn()
	more := s.callers()
	more()
	w.second.Signal(syscall.SIGTERM)
	more()
	turn()
	for _, name := range names {
		s.core.tell(order{Op: "close", Name: name})
		if got := s.core.tell(order{Op: "receive", Name: name}); !got.is(0) {
			t.Errorf("the end of %s: %v", name, got)
		}
	}
	if err := w.second.Ended(); err != nil {
		t.Errorf("the server on the C core ended with %v", err)
	}
	more()
	if got := s.core.tell(order{Op: "stop"}); len(got.Failed) != 0 {
		t.Errorf("of the calls while an endpoint ends: %v", got)
	}
}
