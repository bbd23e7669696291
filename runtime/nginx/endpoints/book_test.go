package endpoints

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/gatewright/gatewright/generators/model"
	"github.com/gatewright/gatewright/generators/nginx"
)

// desk is a book with a clock that the test moves.
type desk struct {
	t *testing.T
	*book
	now time.Time
	id  uint16
}

func newDesk(t *testing.T) *desk {
	return &desk{t: t, book: newBook(func() time.Duration { return 0 }), now: time.Unix(1_000_000, 0)}
}

const name = "_grpc._tcp.x.gatewright."

var (
	worker1 = netip.MustParseAddrPort("127.0.0.1:1001")
	worker2 = netip.MustParseAddrPort("127.0.0.1:1002")
)

func (d *desk) pass(t time.Duration) { d.now = d.now.Add(t) }

func (d *desk) put(endpoints ...model.Endpoint) []answer {
	return d.set(d.now, map[string]*list{name: newList(endpoints)})
}

// question asks with a new id; again asks with the last one.
func (d *desk) question(from netip.AddrPort) (answer, bool) {
	d.id++
	return d.again(from)
}

func (d *desk) again(from netip.AddrPort) (answer, bool) {
	return d.ask(d.now, srv{from: from, id: d.id, name: name, key: name})
}

func (d *desk) answered(a answer, ok bool, want string) {
	d.t.Helper()
	if !ok {
		d.t.Fatalf("no answer; want %s", want)
	}
	if got := show(a.list); got != want {
		d.t.Fatalf("the answer is %s, want %s", got, want)
	}
}

func (d *desk) waits(_ answer, ok bool) {
	d.t.Helper()
	if ok {
		d.t.Fatal("answered at once; it should wait")
	}
}

// show is a list as people write it.
func show(l *list) string {
	var out []string
	for _, r := range l.records {
		for _, a := range r.target.addresses {
			out = append(out, netip.AddrPortFrom(a, r.port).String())
		}
	}
	return strings.Join(out, " ")
}

func at(address string, port int32) model.Endpoint {
	return model.Endpoint{Address: address, Port: port}
}

// TestDialogue is one worker from the start on.
func TestDialogue(t *testing.T) {
	d := newDesk(t)
	d.put(at("10.0.0.1", 80))
	a, ok := d.question(worker1)
	d.answered(a, ok, "10.0.0.1:80")

	// The worker knows it: the next question waits, and is answered by a change.
	d.pass(time.Second)
	d.waits(d.question(worker1))
	d.pass(time.Second)
	out := d.put(at("10.0.0.2", 80), at("10.0.0.1", 80))
	if len(out) != 1 || out[0].from != worker1 || out[0].id != d.id {
		t.Fatalf("the change is told by %v", out)
	}
	d.answered(out[0], true, "10.0.0.1:80 10.0.0.2:80")

	// A change while it pauses is told when it asks again.
	if out := d.put(at("10.0.0.3", 80)); len(out) != 0 {
		t.Fatalf("%v is told to nobody", out)
	}
	d.pass(time.Second)
	a, ok = d.question(worker1)
	d.answered(a, ok, "10.0.0.3:80")

	// Without a change the question is answered in time.
	d.pass(time.Second)
	d.waits(d.question(worker1))
	if next := d.next(); next.Sub(d.now) != hold || hold >= nginx.ResolverTimeout {
		t.Fatalf("it waits for %v of %v", next.Sub(d.now), nginx.ResolverTimeout)
	}
	d.pass(hold - time.Millisecond)
	if out := d.due(d.now); len(out) != 0 {
		t.Fatalf("answered too early: %v", out)
	}
	d.pass(time.Millisecond)
	if out = d.due(d.now); len(out) != 1 {
		t.Fatalf("%d answers when the time is over", len(out))
	}
	d.answered(out[0], true, "10.0.0.3:80")
	if !d.next().IsZero() {
		t.Error("something is still due")
	}

	// The same list again is no change.
	d.pass(time.Second)
	d.waits(d.question(worker1))
	if out := d.put(at("10.0.0.3", 80)); len(out) != 0 {
		t.Errorf("an equal list is told: %v", out)
	}
}

func TestRepeatedQuestions(t *testing.T) {
	d := newDesk(t)
	d.put(at("10.0.0.1", 80))
	a, ok := d.question(worker1)
	d.answered(a, ok, "10.0.0.1:80")
	// The answer was lost: nginx asks the same question again and must not wait.
	d.pass(5 * time.Second)
	a, ok = d.again(worker1)
	d.answered(a, ok, "10.0.0.1:80")
	// One that has crossed its answer has no use for another.
	d.waits(d.again(worker1))
	// A question that waits and is repeated gets one answer.
	d.pass(time.Second)
	d.waits(d.question(worker1))
	d.waits(d.again(worker1))
	if out := d.put(); len(out) != 1 {
		t.Errorf("%d answers to one question", len(out))
	}
	// One that nginx has given up gives its place to the next.
	d.pass(time.Second)
	d.waits(d.question(worker1))
	d.waits(d.question(worker1))
	if out := d.put(at("10.0.0.1", 80)); len(out) != 1 || out[0].id != d.id {
		t.Errorf("the answers are %v, want one to question %d", out, d.id)
	}
}

// TestUnknown: questions wait for a list, and are not answered without one.
func TestUnknown(t *testing.T) {
	d := newDesk(t)
	d.waits(d.question(worker1))
	d.pass(5 * time.Second)
	d.waits(d.again(worker1))
	if out := d.put(at("fd00::1", 80)); len(out) != 1 || out[0].id != d.id {
		t.Fatalf("the first list is told by %v", out)
	}
	d = newDesk(t)
	d.waits(d.question(worker1))
	d.pass(nginx.ResolverTimeout)
	if out := d.due(d.now); len(out) != 0 || !d.next().IsZero() {
		t.Errorf("a name that isn't known is answered: %v", out)
	}
	if d.taken(d.now, name) || d.taken(d.now, "other.") {
		t.Error("a list that isn't known is taken")
	}
	d.pass(memory + time.Second)
	d.forget(d.now)
	if len(d.names) != 0 {
		t.Error("the name isn't forgotten")
	}
}

// TestRemoved: a cluster that goes keeps its list for workers that end, and is forgotten after them.
func TestRemoved(t *testing.T) {
	d := newDesk(t)
	d.put(at("10.0.0.1", 80))
	d.question(worker1)
	d.pass(time.Second)
	d.waits(d.question(worker1))
	if out := d.set(d.now, nil); len(out) != 0 {
		t.Errorf("the removal is told: %v", out)
	}
	d.pass(hold)
	if out := d.due(d.now); len(out) != 1 || show(out[0].list) != "10.0.0.1:80" {
		t.Errorf("the worker is told %v", out)
	}
	d.forget(d.now)
	if len(d.names) != 1 || len(d.targets) != 1 {
		t.Error("forgotten too early")
	}
	d.pass(memory + time.Second)
	d.forget(d.now)
	d.pass(memory + time.Second)
	d.forget(d.now)
	if len(d.names) != 0 || len(d.targets) != 0 {
		t.Errorf("%d names and %d targets are left", len(d.names), len(d.targets))
	}
}

// TestTargets: the addresses of a list that was told are answered also after a change.
func TestTargets(t *testing.T) {
	d := newDesk(t)
	d.put(at("10.0.0.1", 80))
	old := newList([]model.Endpoint{at("10.0.0.1", 80)}).records[0].target.name
	d.put(at("10.0.0.2", 80))
	d.forget(d.now)
	if d.targets[old] == nil {
		t.Error("the target of a moment ago is forgotten")
	}
	d.pass(memory + time.Second)
	d.forget(d.now)
	if d.targets[old] != nil || len(d.targets) != 1 {
		t.Errorf("%d targets are kept", len(d.targets))
	}
}

func TestTaken(t *testing.T) {
	d := newDesk(t)
	check := func(want bool, when string) {
		t.Helper()
		if got := d.taken(d.now, name); got != want {
			t.Errorf("%s: taken is %v", when, got)
		}
	}
	learn := func() {
		for _, target := range d.targets {
			target.v4, target.v6 = true, true
		}
	}
	d.put(at("10.0.0.1", 80))
	check(false, "nobody has asked")
	d.question(worker1)
	check(false, "told, but not the addresses")
	learn()
	check(true, "told everything")
	d.put(at("10.0.0.2", 80))
	check(false, "changed while nginx pauses")
	d.pass(time.Second)
	d.question(worker1)
	check(false, "told, but not the new addresses")
	d.pass(time.Second)
	d.question(worker1)
	check(true, "asked again, so it has read the answer")
	// A second worker counts while it is there.
	d.question(worker2)
	check(false, "the second worker hasn't read its answer")
	learn()
	check(true, "both know")
	d.put(at("10.0.0.1", 80), at("10.0.0.2", 80))
	learn()
	check(false, "the second worker pauses and doesn't know")
	d.pass(gone + time.Second)
	check(false, "neither worker is there any more")
	d.question(worker1)
	check(true, "the second worker has ended")
}

func TestLists(t *testing.T) {
	for _, c := range []struct {
		endpoints []model.Endpoint
		want      string
		records   int
	}{
		{nil, "127.0.0.1:1", 1},
		{[]model.Endpoint{at("10.0.0.2", 80), at("10.0.0.1", 80), at("10.0.0.2", 80)}, "10.0.0.1:80 10.0.0.2:80", 1},
		{[]model.Endpoint{at("10.0.0.1", 81), at("10.0.0.1", 80)}, "10.0.0.1:80 10.0.0.1:81", 2},
		{[]model.Endpoint{at("fd00::1", 80), at("10.0.0.1", 80)}, "10.0.0.1:80 [fd00::1]:80", 1},
		{[]model.Endpoint{at("::ffff:10.0.0.1", 80)}, "10.0.0.1:80", 1},
		{[]model.Endpoint{at("name", 80), at("10.0.0.1", 0), at("10.0.0.1", 65536), at("10.0.0.1", -1), at("fe80::1%lo", 80)}, "127.0.0.1:1", 1},
	} {
		l := newList(c.endpoints)
		if got := show(l); got != c.want || len(l.records) != c.records {
			t.Errorf("%v: %s in %d records, want %s in %d", c.endpoints, got, len(l.records), c.want, c.records)
		}
	}
	var many []model.Endpoint
	for i := range 5000 {
		many = append(many, at(fmt.Sprintf("10.1.%d.%d", i/250, i%250), 80))
	}
	if l := newList(many); len(l.records) != 3 || len(strings.Fields(show(l))) != 5000 {
		t.Errorf("5,000 endpoints are %d in %d records", len(strings.Fields(show(l))), len(l.records))
	}
	// A target is named after its addresses alone, so two clusters with the same ones share it.
	a, b := newList([]model.Endpoint{at("10.0.0.1", 80)}), newList([]model.Endpoint{at("10.0.0.1", 81)})
	if a.records[0].target.name != b.records[0].target.name || a.signature == b.signature {
		t.Errorf("%q and %q", a.signature, b.signature)
	}
	m := model.Gateways{Clusters: []model.Cluster{
		{Name: "a/b/1", Namespace: "a", Service: "b", Endpoints: []model.Endpoint{at("10.0.0.1", 80)}},
		{Name: "a/c/1", Namespace: "a", Service: "c", Endpoints: []model.Endpoint{at("c.a.svc", 80)}},
	}}
	if all := lists(m); len(all) != 1 || all["_grpc._tcp."+nginx.EndpointsName(&m.Clusters[0])+"."] == nil {
		t.Errorf("the names are %v", all)
	}
}
