package resources

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"math"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
	kjson "sigs.k8s.io/json"
)

// maxAliased is how many values the aliases of one document may add, so that a few lines can't fill the memory.
const maxAliased = 100_000

// tree is one document as an API server would see it: maps, lists, strings, int64, float64, bool and nil.
type tree struct {
	value any
	// node is the same as YAML, for line numbers; nil for JSON.
	node *yaml.Node
	line int // the document's first line
}

// decode reads one document. Scalars mean what they mean to kubectl, which is YAML 1.1: an unquoted yes is a boolean.
func decode(d document) (tree, Problems) {
	if d.data[0] == '{' {
		var value map[string]any
		duplicates, err := kjson.UnmarshalStrict(d.data, &value)
		if err == nil {
			return tree{value: value, line: d.line}, d.duplicates(duplicates)
		}
	}
	var root, more yaml.Node
	decoder := yaml.NewDecoder(bytes.NewReader(d.data))
	if err := decoder.Decode(&root); err != nil && !errors.Is(err, io.EOF) {
		return tree{}, Problems{d.syntax(err)}
	}
	// What follows a document's end without a marker would be lost.
	if err := decoder.Decode(&more); err == nil {
		return tree{}, Problems{d.problem(d.line+more.Line-1, "", "not valid YAML: a second document without a line of --- before it")}
	} else if !errors.Is(err, io.EOF) {
		return tree{}, Problems{d.syntax(err)}
	}
	if len(root.Content) == 0 {
		return tree{line: d.line}, nil
	}
	c := converter{doc: d, expanding: map[*yaml.Node]bool{}}
	value := c.value(root.Content[0])
	return tree{value: value, node: root.Content[0], line: d.line}, c.problems
}

func (d document) problem(line int, field, text string) Problem {
	return Problem{Source: d.source, Document: d.number, Line: line, Field: field, Text: text}
}

func (d document) duplicates(errs []error) Problems {
	var problems Problems
	for _, err := range errs {
		field := ""
		var fieldErr kjson.FieldError
		if errors.As(err, &fieldErr) {
			field = fieldErr.FieldPath()
		}
		problems = append(problems, d.problem(d.line, field, "the key occurs twice: remove one of them"))
	}
	return problems
}

var yamlErrorLine = regexp.MustCompile(`^line (\d+): `)

// syntax turns a parser's error, whose line counts from the document's start, into one that counts from the file's.
func (d document) syntax(err error) Problem {
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	line := d.line
	if m := yamlErrorLine.FindStringSubmatch(text); m != nil {
		if n, convErr := strconv.Atoi(m[1]); convErr == nil {
			line = d.line + n - 1
		}
		text = text[len(m[0]):]
	}
	return d.problem(line, "", "not valid YAML: "+text+d.syntaxHint(text))
}

// converter makes plain values of YAML nodes.
type converter struct {
	doc       document
	problems  Problems
	aliased   int
	expanding map[*yaml.Node]bool // aliases being followed: what contains itself has no end
	tooMany   bool
}

func (c *converter) fail(n *yaml.Node, text string) any {
	c.problems = append(c.problems, c.doc.problem(c.doc.line+n.Line-1, "", text))
	return nil
}

func (c *converter) value(n *yaml.Node) any {
	if len(c.expanding) > 0 {
		if c.aliased++; c.aliased > maxAliased {
			if !c.tooMany {
				c.tooMany = true
				c.fail(n, fmt.Sprintf("aliases expand to more than %d values: write the values out", maxAliased))
			}
			return nil
		}
	}
	switch n.Kind {
	case yaml.MappingNode:
		return c.mapping(n)
	case yaml.SequenceNode:
		list := make([]any, len(n.Content))
		for i, item := range n.Content {
			list[i] = c.value(item)
		}
		return list
	case yaml.AliasNode:
		if c.expanding[n.Alias] {
			return c.fail(n, fmt.Sprintf("the alias *%s stands inside of what it names: write the value out", n.Value))
		}
		c.expanding[n.Alias] = true
		defer delete(c.expanding, n.Alias)
		return c.value(n.Alias)
	default:
		return c.scalar(n)
	}
}

func (c *converter) mapping(n *yaml.Node) map[string]any {
	m := make(map[string]any, len(n.Content)/2)
	var merged []*yaml.Node
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if key.Kind == yaml.AliasNode {
			key = key.Alias
		}
		switch {
		case key.Kind != yaml.ScalarNode || key.ShortTag() == "!!null":
			c.fail(n.Content[i], "a key that is no text: write a plain name")
			continue
		case key.ShortTag() == "!!merge":
			merged = append(merged, value)
			continue
		}
		if _, twice := m[key.Value]; twice {
			c.fail(key, fmt.Sprintf("the key %q occurs twice: remove one of them", key.Value))
			continue
		}
		m[key.Value] = c.value(value)
	}
	for _, node := range merged {
		c.merge(m, node)
	}
	return m
}

// merge adds what a "<<" key names: a mapping, or a list of them. Keys that are there already win.
func (c *converter) merge(m map[string]any, n *yaml.Node) {
	sources := []any{c.value(n)}
	if list, ok := sources[0].([]any); ok {
		sources = list
	}
	for _, s := range sources {
		from, ok := s.(map[string]any)
		if !ok {
			c.fail(n, "<< takes a mapping or a list of mappings: name one with an alias")
			return
		}
		for key, value := range from {
			if _, there := m[key]; !there {
				m[key] = value
			}
		}
	}
}

// yaml11Booleans are the plain words that YAML 1.1, and so kubectl, reads as booleans besides true and false.
var yaml11Booleans = map[string]bool{
	"y": true, "Y": true, "yes": true, "Yes": true, "YES": true, "on": true, "On": true, "ON": true,
	"n": false, "N": false, "no": false, "No": false, "NO": false, "off": false, "Off": false, "OFF": false,
}

func (c *converter) scalar(n *yaml.Node) any {
	switch tag := n.ShortTag(); tag {
	case "!!str":
		if n.Style == 0 && len(n.Value) <= 3 {
			if b, ok := yaml11Booleans[n.Value]; ok {
				return b
			}
		}
		return n.Value
	case "!!timestamp":
		return n.Value
	case "!!null":
		return nil
	case "!!binary":
		data, err := base64.StdEncoding.DecodeString(n.Value)
		if err != nil {
			return c.fail(n, "!!binary holds no base64: write the text itself")
		}
		return string(data)
	case "!!int":
		// The usual case, without the parser's reflection.
		if i, err := strconv.ParseInt(n.Value, 10, 64); err == nil && (n.Value[0] != '0' || n.Value == "0") {
			return i
		}
	case "!!bool", "!!float":
	default:
		return c.fail(n, fmt.Sprintf("the tag %s means nothing here: remove it", tag))
	}
	return c.number(n)
}

// number reads the scalars that have several spellings.
func (c *converter) number(n *yaml.Node) any {
	var value any
	if err := n.Decode(&value); err != nil {
		return c.fail(n, fmt.Sprintf("%q doesn't fit its tag: write a plain value", n.Value))
	}
	switch v := value.(type) {
	case int:
		return int64(v)
	case uint64:
		return float64(v)
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return c.fail(n, fmt.Sprintf("%q is no number that JSON has: put it in quotes if it is text", n.Value))
		}
	}
	return value
}

// lineOf is the line of a field, or of the deepest of its parents that is there.
func (t tree) lineOf(node *yaml.Node, path string) int {
	if node == nil {
		return t.line
	}
	line := node.Line
	for _, step := range steps(path) {
		if node.Kind == yaml.AliasNode {
			node = node.Alias
		}
		child, at := step.find(node)
		if child == nil {
			break
		}
		node, line = child, at
	}
	return t.line + line - 1
}

// step is one part of a field path: a key, or an index.
type step struct {
	key   string
	index int // -1: a key
}

func (s step) find(n *yaml.Node) (child *yaml.Node, line int) {
	if s.index >= 0 {
		if n.Kind == yaml.SequenceNode && s.index < len(n.Content) {
			return n.Content[s.index], n.Content[s.index].Line
		}
		return nil, 0
	}
	for i := 0; n.Kind == yaml.MappingNode && i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == s.key {
			return n.Content[i+1], n.Content[i].Line
		}
	}
	return nil, 0
}

// steps reads a path such as "spec.rules[0].matches" or "metadata.labels[a.b/c]".
func steps(path string) []step {
	var result []step
	for path != "" {
		if path[0] == '[' {
			inner, rest, _ := strings.Cut(path[1:], "]")
			path = rest
			if i, err := strconv.Atoi(inner); err == nil && i >= 0 {
				result = append(result, step{index: i})
			} else {
				result = append(result, step{key: inner, index: -1})
			}
			continue
		}
		path = strings.TrimPrefix(path, ".")
		end := strings.IndexAny(path, ".[")
		if end < 0 {
			end = len(path)
		}
		if end > 0 {
			result = append(result, step{key: path[:end], index: -1})
		}
		path = path[end:]
	}
	return result
}
