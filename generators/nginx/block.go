package nginx

import (
	"slices"
	"strings"

	"github.com/gatewright/gatewright/generators"
)

// Map is a map{} block, as the template routing.conf.tmpl prints it.
type Map struct {
	// Comment is one line, or "".
	Comment string
	// Source is what is looked up, a token.
	Source string
	// Name is the variable, without its dollar.
	Name string
	// Default is a token; "" is left out, which nginx takes for an empty value.
	Default string
	// Hostnames says that keys may be "*.suffix".
	Hostnames bool
	// Body holds the entries, a line each, joined beforehand: there may be ten thousands.
	Body string
}

// Literal is a variable that holds a text which would be too long with its dollars written out.
type Literal struct {
	// Name is the variable, without its dollar; Text is a token.
	Name, Text string
}

// block is a map while its entries are being added.
type block struct {
	Map
	body    strings.Builder
	entries int
	// byKey says that the entries are sorted by key, and not in the order in which they came.
	byKey bool
}

// entry adds a line. Key and value are tokens; the comment may be "".
func (b *block) entry(key, value, comment string) {
	b.entries++
	b.body.WriteString("    ")
	b.body.WriteString(key)
	b.body.WriteByte(' ')
	b.body.WriteString(value)
	b.body.WriteByte(';')
	if comment != "" {
		b.body.WriteString(" # ")
		b.body.WriteString(Comment(comment))
	}
	b.body.WriteByte('\n')
}

// blocks are the maps in the order of the file, with what is needed to size nginx's hashes.
type blocks struct {
	list []*block
	// longest is the length of the longest key of any map.
	longest int
	// literals by their token, and in order.
	literals map[string]string
	ordered  []Literal
	ids      generators.IDs
}

// add starts a map. What it reads may stand before or behind it in the file.
func (bs *blocks) add(m Map) *block {
	b := &block{Map: m}
	bs.list = append(bs.list, b)
	return b
}

// key notes the length of a key that a user chose.
func (bs *blocks) key(text string) (string, error) {
	bs.longest = max(bs.longest, len(text)+1)
	return Key(text)
}

// value writes text so that nginx expands nothing in it. What gets too long with its dollars written out
// becomes a variable.
func (bs *blocks) value(text string) (string, error) {
	token, err := Value(text)
	if _, long := err.(*TooLongError); !long {
		return token, err
	}
	name, err := bs.hoist(text)
	return "$" + name, err
}

// hoist makes a variable that holds a text and returns its name, without the dollar.
func (bs *blocks) hoist(text string) (string, error) {
	token, err := Token(text)
	if err != nil {
		return "", err
	}
	name := bs.literals[token]
	if name == "" {
		name = "gw_text_" + bs.ids.Of(token)
		if bs.literals == nil {
			bs.literals = map[string]string{}
		}
		bs.literals[token] = name
		bs.ordered = append(bs.ordered, Literal{name, token})
	}
	return name, nil
}

// sortFrom sorts the maps from a place on by name: the order in which they came is nobody's.
func (bs *blocks) sortFrom(place int) {
	slices.SortFunc(bs.list[place:], func(a, b *block) int { return strings.Compare(a.Name, b.Name) })
}

// maps returns all blocks for the template.
func (bs *blocks) maps() []Map {
	out := make([]Map, len(bs.list))
	for i, b := range bs.list {
		out[i] = b.Map
		out[i].Body = b.body.String()
		if b.byKey {
			lines := slices.Collect(strings.Lines(out[i].Body))
			slices.Sort(lines)
			out[i].Body = strings.Join(lines, "")
		}
	}
	return out
}

// Sizes are the sizes of nginx's hashes, each a power of two that the content fits in.
type Sizes struct {
	MapMax, MapBucket     int
	VariablesMax          int
	VariablesBucket       int
	NamesMax, NamesBucket int
}

// sizes works them out. A bucket holds a pointer, a length and a name, rounded up; nginx wants it to hold the
// longest at least. With a maximum over 10,000 nginx begins with as many buckets, unless that is at least 100
// times the entries: then it looks for the fewest that fit. Measured, calls cost less with those, and make no
// page faults (docs/benchmarks.md). Large buckets make it find that number soon.
func (bs *blocks) sizes(splits, serverNames, longestServerName int) Sizes {
	most := 0
	for _, b := range bs.list {
		most = max(most, b.entries)
	}
	mapMax, mapBucket := power(2*most, 2048), 256
	if mapMax > 10000 {
		mapMax, mapBucket = power(100*most, mapMax), 1024
	}
	return Sizes{
		MapMax:    mapMax,
		MapBucket: power(bs.longest+32, mapBucket),
		// Names have up to 110 bytes; nothing looks them up while calls come.
		VariablesMax:    power(4*(len(bs.list)+len(bs.ordered)+splits), 2048),
		VariablesBucket: 1024,
		NamesMax:        power(2*serverNames, 1024),
		NamesBucket:     power(longestServerName+64, 256),
	}
}

// power is the smallest power of two that is neither less than n nor less than least.
func power(n, least int) int {
	for least < n {
		least *= 2
	}
	return least
}
