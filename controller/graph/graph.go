package graph

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/gatewright/gatewright/controller/translate"
	"github.com/gatewright/gatewright/runtime/apply"
)

// drawing is a picture in a language of its own.
type drawing interface {
	start(out *strings.Builder)
	node(out *strings.Builder, id int, lines []string)
	edge(out *strings.Builder, index, from, to int, lines []string, refused bool)
	end(out *strings.Builder)
}

// drawings are all of them; the first is the usual one.
var drawings = []struct {
	name string
	drawing
}{
	{"mermaid", mermaid{}},
	{"dot", dot{}},
}

// Formats are the names of the languages; the first is the usual one.
func Formats() []string {
	var names []string
	for _, d := range drawings {
		names = append(names, d.name)
	}
	return names
}

// Edges are those of a translation, with what can't be rendered among the refused.
func Edges(result translate.Result, leftOut []apply.Culprit) []translate.Edge {
	edges := result.Edges()
	refused := map[translate.Node]bool{}
	for _, c := range leftOut {
		switch c.Kind {
		case apply.RulePart:
			refused[translate.Node{Kind: string(c.RouteKind), Namespace: c.Namespace, Name: c.Name, Section: "rule " + strconv.Itoa(c.Rule)}] = true
		case apply.ListenerPart:
			refused[translate.ListenerNode(c.Namespace, c.Name, c.Listener)] = true
		case apply.ClusterPart:
			for i := range result.Gateways.Clusters {
				if s := &result.Gateways.Clusters[i]; s.Name == c.Name {
					refused[translate.Node{Kind: "Service", Namespace: s.Namespace, Name: s.Service}] = true
				}
			}
		}
	}
	for i := range edges {
		if refused[edges[i].To] && edges[i].Reason == "" {
			edges[i].Reason = "UnsupportedValue"
		}
	}
	return edges
}

// Draw writes edges with their nodes, in the order in which they come, in one of the Formats.
func Draw(format string, edges []translate.Edge) (string, error) {
	for _, d := range drawings {
		if d.name == format {
			return draw(d, edges), nil
		}
	}
	return "", fmt.Errorf("graphs aren't drawn as %q", format)
}

func draw(d drawing, edges []translate.Edge) string {
	out := &strings.Builder{}
	ids := map[translate.Node]int{}
	d.start(out)
	for _, e := range edges {
		for _, n := range []translate.Node{e.From, e.To} {
			if _, ok := ids[n]; !ok {
				ids[n] = len(ids)
				d.node(out, ids[n], nodeLines(n))
			}
		}
	}
	for i, e := range edges {
		d.edge(out, i, ids[e.From], ids[e.To], edgeLines(e), e.Reason != "")
	}
	d.end(out)
	return out.String()
}

// nodeLines are what stands in a node: its kind, its name, the part of it.
func nodeLines(n translate.Node) []string {
	name := n.Name
	if n.Namespace != "" {
		name = n.Namespace + "/" + name
	}
	lines := []string{n.Kind, name}
	if n.Section != "" {
		lines = append(lines, n.Section)
	}
	return lines
}

func edgeLines(e translate.Edge) []string {
	var lines []string
	for _, text := range []string{e.Label, e.Reason} {
		if text != "" {
			lines = append(lines, text)
		}
	}
	return lines
}

// mermaid draws a Mermaid flowchart.
type mermaid struct{}

func (mermaid) start(out *strings.Builder) { out.WriteString("flowchart LR\n") }

func (mermaid) node(out *strings.Builder, id int, lines []string) {
	fmt.Fprintf(out, "  n%d[\"%s\"]\n", id, mermaidText(lines))
}

func (mermaid) edge(out *strings.Builder, index, from, to int, lines []string, refused bool) {
	arrow := "-->"
	if refused {
		arrow = "-.->"
	}
	if len(lines) > 0 {
		arrow += `|"` + mermaidText(lines) + `"|`
	}
	fmt.Fprintf(out, "  n%d %s n%d\n", from, arrow, to)
	if refused {
		fmt.Fprintf(out, "  linkStyle %d stroke:red,color:red\n", index)
	}
}

func (mermaid) end(*strings.Builder) {}

// mermaidText writes every character that could mean something as its number.
func mermaidText(lines []string) string {
	var out strings.Builder
	for i, line := range lines {
		if i > 0 {
			out.WriteString("<br/>")
		}
		for _, r := range line {
			if r >= 0x80 || plainInMermaid(r) {
				out.WriteRune(r)
			} else {
				fmt.Fprintf(&out, "#%d;", r)
			}
		}
	}
	return out.String()
}

func plainInMermaid(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune(" .,:/-", r)
}

// dot draws a Graphviz digraph.
type dot struct{}

func (dot) start(out *strings.Builder) {
	out.WriteString("digraph gatewright {\n  rankdir=LR;\n  node [shape=box];\n")
}

func (dot) node(out *strings.Builder, id int, lines []string) {
	fmt.Fprintf(out, "  n%d [label=\"%s\"];\n", id, dotText(lines))
}

func (dot) edge(out *strings.Builder, _, from, to int, lines []string, refused bool) {
	style := ""
	if refused {
		style = ", color=red, fontcolor=red, style=dashed"
	}
	fmt.Fprintf(out, "  n%d -> n%d [label=\"%s\"%s];\n", from, to, dotText(lines), style)
}

func (dot) end(out *strings.Builder) { out.WriteString("}\n") }

// dotEscapes are for labels in double quotes, where Graphviz reads backslashes and HTML's entities.
var dotEscapes = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "&", "&amp;", "\n", " ", "\r", " ", "\x00", " ")

func dotText(lines []string) string {
	var out []string
	for _, line := range lines {
		out = append(out, dotEscapes.Replace(line))
	}
	return strings.Join(out, `\n`)
}
