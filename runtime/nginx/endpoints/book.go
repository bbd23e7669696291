package endpoints

import (
	"container/heap"
	"net/netip"
	"time"

	"github.com/gatewright/gatewright/generators/nginx"
)

// The times of the dialogue with nginx.
const (
	// hold is the longest that a question waits for news; a little is taken off it by chance, to spread the
	// questions. After each answer nginx pauses for a second, at whose end it hears of changes, so a longer hold
	// makes that rarer. nginx repeats a question that waits every five seconds.
	hold = 20 * time.Second
	// crossing is how long after an answer a repetition of its question is one that has crossed it.
	crossing = 50 * time.Millisecond
	// gone is after how long an answered worker that doesn't ask again has ended: it pauses for a second.
	gone = 2500 * time.Millisecond
	// memory is how long things are kept that nobody asks for: clients, targets of lists that changed, and
	// lists of clusters that an ending worker may still serve.
	memory = time.Minute
)

// book decides what is answered, and when. Times come in by its methods.
type book struct {
	names   map[string]*entry
	targets map[string]*knownTarget
	waits   waits
	// spread returns how much of hold is taken off.
	spread func() time.Duration
}

// entry is a name with those who ask for it.
type entry struct {
	// list is nil while it isn't known: nobody is answered then, and nginx keeps what it has.
	list *list
	// answered says that somebody has got an answer.
	answered bool
	// current is false for a cluster that isn't in the model any more.
	current bool
	clients map[netip.AddrPort]*client
}

// client is a worker's socket.
type client struct {
	// asked is when it asked last.
	asked, answered time.Time
	// id is the last answered question's; one that comes again was answered in vain.
	id uint16
	// signature is the list's that it was answered with last.
	signature string
	// proven says that it asked again after that answer: it has read it.
	proven  bool
	waiting *wait
}

type knownTarget struct {
	*target
	// v4 and v6 say that it was asked for its addresses of this kind, and answered.
	v4, v6 bool
	// expires is when it is forgotten; zero while a list has it.
	expires time.Time
}

// answered notes that somebody gets the addresses of one kind, and says whether that is the first time.
func (t *knownTarget) answered(v4 bool) (first bool) {
	known := &t.v6
	if v4 {
		known = &t.v4
	}
	first, *known = !*known, true
	return first
}

// srv is a question for SRV records.
type srv struct {
	from netip.AddrPort
	id   uint16
	// name is as it is asked for, and key in lower case.
	name, key string
}

// answer is a list to send.
type answer struct {
	srv
	list *list
	// first says that nobody has got an answer for this name before.
	first bool
}

// wait is a question that is held.
type wait struct {
	srv
	until time.Time
	// index is the place in the heap; -1 outside.
	index int
}

func newBook(spread func() time.Duration) *book {
	return &book{names: map[string]*entry{}, targets: map[string]*knownTarget{}, spread: spread}
}

// set replaces all lists and returns the answers that waited for a change. A name that isn't in lists keeps
// what it had for those who still ask: workers of a configuration that is being replaced.
func (b *book) set(now time.Time, lists map[string]*list) []answer {
	var out []answer
	for key, l := range lists {
		e := b.entry(key)
		e.current = true
		if e.list != nil && e.list.signature == l.signature {
			continue
		}
		e.list = l
		for _, c := range e.clients {
			if c.waiting != nil {
				out = append(out, b.release(now, e, c))
			}
		}
	}
	for key, e := range b.names {
		if lists[key] == nil {
			e.current = false
		}
	}
	b.retarget(now)
	return out
}

func (b *book) entry(key string) *entry {
	e := b.names[key]
	if e == nil {
		e = &entry{clients: map[netip.AddrPort]*client{}}
		b.names[key] = e
	}
	return e
}

// retarget learns the targets of all lists. Others expire: a worker may just have been told of one.
func (b *book) retarget(now time.Time) {
	for _, t := range b.targets {
		if t.expires.IsZero() {
			t.expires = now.Add(memory)
		}
	}
	for _, e := range b.names {
		if e.list == nil {
			continue
		}
		for _, r := range e.list.records {
			t := b.targets[r.target.name]
			if t == nil {
				t = &knownTarget{target: r.target}
				b.targets[r.target.name] = t
			}
			t.expires = time.Time{}
		}
	}
}

// ask takes a question that came by UDP. It returns an answer to send at once, or none: then the question waits.
func (b *book) ask(now time.Time, q srv) (answer, bool) {
	e := b.entry(q.key)
	c := e.clients[q.from]
	if c == nil {
		c = &client{}
		e.clients[q.from] = c
	}
	c.asked = now
	if c.waiting != nil && c.waiting.id == q.id || c.id == q.id && now.Sub(c.answered) < crossing {
		// nginx repeats what it waits for; it gets one answer.
		return answer{}, false
	}
	until := now.Add(hold - b.spread())
	switch {
	case e.list == nil:
		until = now.Add(nginx.ResolverTimeout)
	case c.signature != e.list.signature, c.id == q.id:
		// News, or the answer before was lost.
		c.drop(b)
		return b.reply(now, e, c, q), true
	default:
		c.proven = true
	}
	c.drop(b)
	c.waiting = &wait{srv: q, until: until}
	heap.Push(&b.waits, c.waiting)
	return answer{}, false
}

// reply is the answer to a question, and remembers it.
func (b *book) reply(now time.Time, e *entry, c *client, q srv) answer {
	if c.signature != e.list.signature {
		c.signature, c.proven = e.list.signature, false
	}
	c.answered, c.id = now, q.id
	first := !e.answered
	e.answered = true
	return answer{q, e.list, first}
}

func (b *book) release(now time.Time, e *entry, c *client) answer {
	q := c.waiting.srv
	c.drop(b)
	return b.reply(now, e, c, q)
}

func (c *client) drop(b *book) {
	if c.waiting != nil {
		heap.Remove(&b.waits, c.waiting.index)
		c.waiting = nil
	}
}

// due returns the answers to questions that have waited long enough.
func (b *book) due(now time.Time) []answer {
	var out []answer
	for len(b.waits) > 0 && !now.Before(b.waits[0].until) {
		w := b.waits[0]
		e := b.names[w.key]
		if c := e.clients[w.from]; e.list != nil {
			out = append(out, b.release(now, e, c))
		} else {
			c.drop(b)
		}
	}
	return out
}

// next is when due has something to return; zero for never.
func (b *book) next() time.Time {
	if len(b.waits) == 0 {
		return time.Time{}
	}
	return b.waits[0].until
}

// forget drops what nobody has asked for in a long time.
func (b *book) forget(now time.Time) {
	for key, e := range b.names {
		for from, c := range e.clients {
			if now.Sub(c.asked) > memory {
				c.drop(b)
				delete(e.clients, from)
			}
		}
		if !e.current && len(e.clients) == 0 {
			delete(b.names, key)
		}
	}
	b.retarget(now)
	for name, t := range b.targets {
		if !t.expires.IsZero() && now.After(t.expires) {
			delete(b.targets, name)
		}
	}
}

// taken says whether everybody who asks for a name has learnt its list: somebody does, all of them were
// answered with it, and know its addresses, or have asked again since.
func (b *book) taken(now time.Time, key string) bool {
	e := b.names[key]
	if e == nil || e.list == nil {
		return false
	}
	asking := false
	for _, c := range e.clients {
		if c.waiting == nil && now.Sub(maxTime(c.asked, c.answered)) > gone {
			continue
		}
		asking = true
		if c.signature != e.list.signature || !c.proven && !b.answeredAll(e.list) {
			return false
		}
	}
	return asking
}

// answeredAll says whether the addresses of all targets were asked for and answered.
func (b *book) answeredAll(l *list) bool {
	for _, r := range l.records {
		if t := b.targets[r.target.name]; !t.v4 || !t.v6 {
			return false
		}
	}
	return true
}

func maxTime(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// waits is a heap of questions, the next one due first.
type waits []*wait

func (w waits) Len() int           { return len(w) }
func (w waits) Less(i, j int) bool { return w[i].until.Before(w[j].until) }

func (w waits) Swap(i, j int) {
	w[i], w[j] = w[j], w[i]
	w[i].index, w[j].index = i, j
}

// Push is for package heap.
func (w *waits) Push(x any) {
	q := x.(*wait)
	q.index = len(*w)
	*w = append(*w, q)
}

// Pop is for package heap.
func (w *waits) Pop() any {
	last := len(*w) - 1
	q := (*w)[last]
	q.index = -1
	(*w)[last] = nil
	*w = (*w)[:last]
	return q
}
