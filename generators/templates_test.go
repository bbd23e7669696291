package generators_test

import (
	"fmt"
	"io/fs"
	"net/netip"
	"path"
	"strings"
	"testing"
	"testing/fstest"
	"text/template/parse"

	"github.com/gatewright/gatewright/generators"
	"github.com/gatewright/gatewright/generators/haproxy"
	"github.com/gatewright/gatewright/generators/model"
	"github.com/gatewright/gatewright/generators/nginx"
	"github.com/gatewright/gatewright/templates"
)

// marker puts a mark into every branch of a template.
type marker struct {
	prefix string
	marks  []string
}

func (m *marker) list(l *parse.ListNode) {
	if l == nil {
		return
	}
	for _, n := range l.Nodes {
		switch n := n.(type) {
		case *parse.TextNode:
			if rest, ok := strings.CutSuffix(string(n.Text), "{"); ok {
				// An action may follow, for a trimmed space once stood between.
				n.Text = []byte(rest + `{{"{"}}`)
			}
		case *parse.IfNode:
			m.branch(&n.BranchNode)
		case *parse.WithNode:
			m.branch(&n.BranchNode)
		case *parse.RangeNode:
			m.branch(&n.BranchNode)
		}
	}
	mark := fmt.Sprintf("<%s %d>", m.prefix, len(m.marks))
	m.marks = append(m.marks, mark)
	l.Nodes = append([]parse.Node{&parse.TextNode{NodeType: parse.NodeText, Text: []byte(mark)}}, l.Nodes...)
}

func (m *marker) branch(b *parse.BranchNode) {
	m.list(b.List)
	m.list(b.ElseList)
}

// marked are a proxy's built-in templates with marks.
func marked(t *testing.T, proxy string) (fstest.MapFS, []string) {
	t.Helper()
	out, m := fstest.MapFS{}, &marker{}
	names, err := fs.Glob(templates.FS, proxy+"/*.tmpl")
	if err != nil || len(names) == 0 {
		t.Fatalf("%d templates: %v", len(names), err)
	}
	for _, name := range names {
		text, err := fs.ReadFile(templates.FS, name)
		if err != nil {
			t.Fatal(err)
		}
		trees, err := parse.Parse(path.Base(name), string(text), "", "",
			map[string]any{"eq": fmt.Sprint, "and": fmt.Sprint, "or": fmt.Sprint, "not": fmt.Sprint, "len": fmt.Sprint, "printf": fmt.Sprint,
				"index": fmt.Sprint})
		if err != nil {
			t.Fatal(err)
		}
		var b strings.Builder
		for defined, tree := range trees {
			if parse.IsEmptyTree(tree.Root) {
				continue // There are only definitions in it.
			}
			m.prefix = name + " " + defined
			m.list(tree.Root)
			if defined == path.Base(name) {
				b.WriteString(tree.Root.String())
			} else {
				fmt.Fprintf(&b, "{{define %q}}%s{{end}}", defined, tree.Root)
			}
		}
		out[name] = &fstest.MapFile{Data: []byte(b.String())}
	}
	return out, m.marks
}

// TestExampleMeetsEveryBranch: a template that is broken anywhere is found with the example.
func TestExampleMeetsEveryBranch(t *testing.T) {
	for name, p := range map[string]struct {
		make     func(generators.Options) generators.Generator
		caps     func(model.Version) model.Capabilities
		versions []model.Version
	}{
		"nginx": {func(o generators.Options) generators.Generator { return nginx.New(o) }, nginx.CapabilitiesOf,
			[]model.Version{{Major: 1, Minor: 22}, {Major: 1, Minor: 30}}},
		"haproxy": {func(o generators.Options) generators.Generator { return haproxy.New(o) }, haproxy.CapabilitiesOf,
			[]model.Version{{Major: 2, Minor: 6}, {Major: 3, Minor: 2}}},
	} {
		t.Run(name, func(t *testing.T) {
			overrides, marks := marked(t, name)
			var all strings.Builder
			for _, v := range p.versions {
				for _, o := range []generators.Options{{}, {Marker: "/m", Resolver: "127.0.0.1:53", User: "u", Group: "g", CallOnce: true,
					CallLog: "/c", Bridge: "/b"}, {Marker: "/m", TrustedProxies: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}},
					{Layout: generators.LayoutInclude, Folder: "f", AccessLog: &generators.AccessLog{Target: generators.AccessStderr,
						Format: generators.AccessJSON}}, {Layout: generators.LayoutInclude, Marker: "/m"}} {
					o.Templates = overrides
					for _, m := range model.Examples(o.Bridge != "") {
						files, err := p.make(o).Render(m, p.caps(v))
						if err != nil {
							t.Fatal(err)
						}
						for _, f := range files {
							all.Write(f.Data)
						}
					}
				}
			}
			text := all.String()
			for _, mark := range marks {
				if !strings.Contains(text, mark) {
					t.Errorf("no option and no part of the example leads to the branch %s of %d", mark, len(marks))
				}
			}
		})
	}
}
