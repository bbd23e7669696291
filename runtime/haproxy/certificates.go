package haproxy

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/gatewright/gatewright/runtime/apply"
)

// listEntry is a line of a crt-list: a key pair, and the server names that it is for.
type listEntry struct {
	pair  string
	names []string
	// line is its number in a running worker.
	line int
}

// isPair says whether a rendered file is a key pair.
func isPair(path string) bool {
	return strings.HasPrefix(path, "certificates/") || strings.HasPrefix(path, "defaults/")
}

func readList(text string) []listEntry {
	var list []listEntry
	for line := range strings.Lines(text) {
		if words := strings.Fields(line); len(words) > 0 && words[0] != "#" {
			list = append(list, listEntry{pair: words[0], names: words[1:]})
		}
	}
	return list
}

// readListEntry reads a line of `show ssl crt-list -n`: "PAIR:LINE NAME …".
func readListEntry(words []string) listEntry {
	i := max(strings.LastIndexByte(words[0], ':'), 0)
	n, _ := strconv.Atoi(words[0][i:][min(1, len(words[0])-i):]) // 0 is no line.
	return listEntry{pair: words[0][:i], names: words[1:], line: n}
}

// used are the key pairs that lists name: HAProxy has no others.
func (r *rendered) used() map[string]bool {
	used := map[string]bool{}
	for _, list := range r.lists {
		for _, e := range list {
			used[e.pair] = true
		}
	}
	return used
}

// certificates are what changes of the certificates of a worker.
type certificates struct {
	// created and changed are key pairs, added are lines for lists.
	created, changed []string
	added            []addedEntry
	// removed are the commands that take away what no call needs once the routes are switched.
	removed batch
}

type addedEntry struct {
	list string
	listEntry
}

// listQuestions are about the lists that change.
func (c *change) listQuestions() batch {
	var b batch
	for _, path := range slices.Sorted(maps.Keys(c.next.lists)) {
		if !bytes.Equal(c.old.files[path], c.next.files[path]) {
			b.add("show ssl crt-list -n %s", word.Replace(path))
		}
	}
	return b
}

// planCertificates says what can't be done without a reload, or what is to be done.
func (c *change) planCertificates() (*certificates, apply.Update) {
	plan, old, next := &certificates{}, c.old.used(), c.next.used()
	for _, pair := range slices.Sorted(maps.Keys(next)) {
		switch {
		case !old[pair]:
			plan.created = append(plan.created, pair)
		case !bytes.Equal(c.old.pairs[pair], c.next.pairs[pair]):
			plan.changed = append(plan.changed, pair)
		default:
			continue
		}
		if n := len(pairText(c.next.pairs[pair])); n > largest {
			return nil, apply.Update{Reason: fmt.Sprintf("%s has %d bytes, and HAProxy's socket takes %d", pair, n, largest), Cause: "certificates"}
		}
	}
	for path, running := range c.worker.lists {
		want, ok := c.next.lists[path]
		if !ok {
			continue
		}
		added, removed := listDifference(running, want)
		if name := misplaced(running, removed, added, want); name != "" {
			return nil, apply.Update{Reason: fmt.Sprintf("%s has other certificates for %s, in an order that HAProxy takes from a file only", path,
				name), Cause: "certificates"}
		}
		for _, e := range added {
			plan.added = append(plan.added, addedEntry{path, e})
		}
		for _, e := range removed {
			plan.removed.add("del ssl crt-list %s %s:%d", word.Replace(path), word.Replace(e.pair), e.line)
		}
	}
	for _, pair := range slices.Sorted(maps.Keys(old)) {
		if !next[pair] {
			plan.removed.add("del ssl cert %s", word.Replace(pair))
		}
	}
	return plan, apply.Update{}
}

// listDifference is what a list lacks and what it has too much. An entry with a name too much goes as a whole, and
// its other names come in a new one.
func listDifference(running, want []listEntry) (added, removed []listEntry) {
	type use struct{ pair, name string }
	wanted, there := map[use]bool{}, map[use]bool{}
	for _, e := range want {
		for _, name := range e.names {
			wanted[use{e.pair, name}] = true
		}
	}
	for _, e := range running {
		if slices.ContainsFunc(e.names, func(name string) bool { return !wanted[use{e.pair, name}] }) {
			removed = append(removed, e)
			continue
		}
		for _, name := range e.names {
			there[use{e.pair, name}] = true
		}
	}
	for _, e := range want {
		var missing []string
		for _, name := range e.names {
			if u := (use{e.pair, name}); !there[u] {
				there[u] = true
				missing = append(missing, name)
			}
		}
		if len(missing) > 0 {
			added = append(added, listEntry{pair: e.pair, names: missing})
		}
	}
	return added, removed
}

// misplaced is a name that several key pairs are for and that HAProxy would take from another one than after a
// reload: what is added comes last.
func misplaced(running, removed, added, want []listEntry) string {
	orders := func(lists ...[]listEntry) map[string][]string {
		out := map[string][]string{}
		for _, list := range lists {
			for _, e := range list {
				for _, name := range e.names {
					if !slices.Contains(out[name], e.pair) {
						out[name] = append(out[name], e.pair)
					}
				}
			}
		}
		return out
	}
	kept := slices.DeleteFunc(slices.Clone(running), func(e listEntry) bool {
		return slices.ContainsFunc(removed, func(r listEntry) bool { return r.line == e.line })
	})
	wanted, got := orders(want), orders(kept, added)
	for _, name := range slices.Sorted(maps.Keys(wanted)) {
		if !slices.Equal(wanted[name], got[name]) {
			return name
		}
	}
	return ""
}

// addCertificates gives key pairs their content, and lists new entries.
func (c *change) addCertificates(plan *certificates) error {
	for _, pair := range plan.created {
		out, err := askWorker(c.ctx, c.socket, "new ssl cert "+word.Replace(pair))
		if err == nil && !strings.Contains(out, "New empty certificate store") && !strings.Contains(out, "already exists") {
			err = fmt.Errorf("HAProxy makes no room for %s: %.200s", pair, strings.TrimSpace(out))
		}
		if err != nil {
			return err
		}
	}
	for _, pair := range slices.Concat(plan.created, plan.changed) {
		if err := c.setPair(pair); err != nil {
			return err
		}
	}
	for _, e := range plan.added {
		text := "add ssl crt-list " + word.Replace(e.list) + " <<\n" + e.pair + " " + strings.Join(e.names, " ") + "\n"
		out, err := askWorker(c.ctx, c.socket, text)
		if err == nil && !strings.Contains(out, "Success!") {
			err = fmt.Errorf("HAProxy doesn't take %s for %.100q: %.200s", e.pair, e.names, strings.TrimSpace(out))
		}
		if err != nil {
			return err
		}
	}
	c.did(len(plan.created), "new certificates", "certificates")
	c.did(len(plan.changed), "certificates", "certificates")
	c.did(len(plan.added), "certificates for names", "certificates")
	return nil
}

// setPair gives one key pair its content. HAProxy refuses a key that doesn't fit.
func (c *change) setPair(pair string) error {
	name := word.Replace(pair)
	out, err := askWorker(c.ctx, c.socket, "set ssl cert "+name+" <<\n"+pairText(c.next.pairs[pair])+"\n")
	if err == nil && strings.Contains(out, "ransaction") {
		out, err = askWorker(c.ctx, c.socket, "commit ssl cert "+name)
	}
	if err == nil && !strings.Contains(out, "Success!") {
		err = fmt.Errorf("HAProxy doesn't take %s: %.200s", pair, strings.TrimSpace(out))
		// There may be nothing to abort; the error says what matters.
		_, _ = askWorker(c.ctx, c.socket, "abort ssl cert "+name)
	}
	return err
}

// pairText is a key pair without empty lines, each of which would be the end of what is sent.
func pairText(data []byte) string {
	var lines []string
	for line := range bytes.Lines(data) {
		if line = bytes.TrimSpace(line); len(line) > 0 {
			lines = append(lines, string(line))
		}
	}
	return strings.Join(lines, "\n")
}

// removeCertificates takes away what nothing needs any more.
func (c *change) removeCertificates(plan *certificates) error {
	if len(plan.removed) == 0 {
		return nil
	}
	lines, err := plan.removed.run(c.ctx, c.socket)
	if err == nil {
		err = refusals(lines, "Entry '", "Certificate '")
	}
	c.did(len(plan.removed), "certificates or entries fewer", "certificates")
	return err
}
