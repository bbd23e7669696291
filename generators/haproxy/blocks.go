package haproxy

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/gatewright/gatewright/generators/matching"
	"github.com/gatewright/gatewright/generators/model"
)

// blockWriter writes the steps of one port.
type blockWriter struct {
	*frontends
	kind      model.RouteKind
	variables *variables
	// position counts the scopes before this one on a call's way.
	position int
	// set are the variables of keys that are set already wherever nothing is decided.
	set    map[string]bool
	blocks []Block
}

func (b *blockWriter) scope() string { return b.scopeAt(b.position) }

func (b *blockWriter) scopeAt(position int) string {
	if b.kind == model.HTTPRoute {
		return "txn.http" + strconv.Itoa(position)
	}
	return "txn.scope" + strconv.Itoa(position)
}

// parent goes on to the next scope.
func (b *blockWriter) parent() {
	b.blocks = append(b.blocks, Block{"The scope that goes on when that one has nothing for the call.", []string{
		fmt.Sprintf("http-request set-var(%s) 'var(%s)%s,map_str(%sparents.map)' if !decided", b.scope(), b.scopeAt(b.position-1),
			b.routes.sides.converter, b.folder),
	}})
}

// past ends the way of a request that has a target with nothing more to do.
const past = "http-request allow if routed !special !aside"

// early says that many requests are decided by a step, so that it is worth to ask whether one is done. Where there are
// HTTPRoutes, the template has asked for the first steps of GRPCRoutes before.
func (b *blockWriter) early(n *needs) bool {
	if b.position > 0 || b.late {
		return false
	}
	return b.kind == model.HTTPRoute || !b.http && (n.key == matching.KeyPath || n.key == matching.KeyService)
}

// stepNames are for comments.
var stepNames = map[matching.Key]string{
	matching.KeyPath: "the whole path", matching.KeyService: "the service", matching.KeyMethod: "the method", matching.KeyPrefix: "a prefix",
}

func (n *needs) title() string {
	switch {
	case n.merged():
		return "Rules for the longest prefix."
	case n.key != matching.KeyNone:
		return "Rules for " + stepNames[n.key] + "."
	case n.order == matching.OrderRegex:
		return "Rules for regular expressions of the path."
	}
	return "Rules for any path."
}

// step writes one lookup, and what its entries may leave to decide.
func (b *blockWriter) step(n *needs) error {
	block := Block{Comment: n.title()}
	add := func(format string, args ...any) { block.Lines = append(block.Lines, fmt.Sprintf(format, args...)) }
	base, before, err := b.base(n)
	if err != nil {
		return err
	}
	block.Lines = append(block.Lines, before...)
	if n.merged() {
		add("http-request set-var(txn.target) 'var(%s)%s,concat(|,txn.folder),map_beg(%s%s)' if !decided", b.scope(), b.routes.sides.converter,
			b.folder, PrefixesMap)
	} else {
		add("http-request set-var(txn.target) '%s%s,map_str(%sroutes.map)' if !decided", base, b.routes.sides.converter, b.folder)
	}
	if b.early(n) {
		add(past)
	}
	if n.http {
		// The entry says what the keys of its values begin with.
		base = "var(txn.entry)"
	}
	lookups := b.lookups(n, base)
	if len(lookups) > 0 {
		if n.http {
			add("http-request set-var(txn.entry) 'var(txn.target),field(1,|),field(2,#)' if undecided")
		}
		columns, err := b.columns(n)
		if err != nil {
			return err
		}
		block.Lines = append(block.Lines, columns...)
		if len(lookups) == 1 {
			l := lookups[0]
			block.Lines = append(block.Lines, l.before...)
			add("http-request set-var(txn.target) %s if %s", l.expression(b.folder, "field(2,;,0)"), l.condition)
		} else {
			// The lowest position wins. The id stands before the target, and comparing reads no further.
			add("http-request set-var(txn.best) str(999999) if undecided")
			for _, l := range lookups {
				block.Lines = append(block.Lines, l.before...)
				add("http-request set-var(txn.found) %s if %s", l.expression(b.folder, ""), l.condition)
				add("http-request set-var(txn.best) var(txn.found) if %s { var(txn.found),sub(txn.best) lt 0 }", l.condition)
			}
			add("http-request set-var(txn.target) 'var(txn.best),field(2,;,0)' if undecided")
		}
		// None of them: what the entry says for that, or on to the next step.
		add("http-request set-var(txn.target) 'var(txn.target),field(2,|)' if undecided")
		add("http-request unset-var(txn.target) if undecided")
		if b.early(n) {
			add(past)
		}
	}
	b.blocks = append(b.blocks, block)
	return nil
}

// base is the expression of a step's key, with the scope, and the lines that it needs.
func (b *blockWriter) base(n *needs) (expression string, before []string, err error) {
	switch n.key {
	case matching.KeyPath:
		return "path,concat(|," + b.scope() + ")", nil, nil
	case matching.KeyPrefix:
		if n.http {
			return "", b.once("txn.folder", []string{"http-request set-var(txn.folder) path,concat(/)"}), nil
		}
		variable := "txn.prefix" + strconv.Itoa(n.depth)
		before = b.once(variable, []string{fmt.Sprintf("http-request set-var(%s) 'path,field(1,/,%d)' if !decided { path,field(%d,/) -m found }",
			variable, n.depth+1, n.depth+1)})
		return "str(prefix:),concat(," + variable + ",|),concat(," + b.scope() + ")", before, nil
	case matching.KeyService, matching.KeyMethod:
		c := column{subject: matching.SubjectService}
		if n.key == matching.KeyMethod {
			c.subject = matching.SubjectMethod
		}
		before, err = b.variables.set(c, plain, "if !decided")
		variable := b.variables.of(c, plain)
		return "str(" + string(n.key) + ":),concat(," + variable + ",|),concat(," + b.scope() + ")", b.once(variable, before), err
	}
	return "str(" + n.keyOf("", "|") + "),concat(," + b.scope() + ")", nil, nil
}

// once is lines that set a variable for a key, or none where they stand above already.
func (b *blockWriter) once(variable string, lines []string) []string {
	if b.set[variable] {
		return nil
	}
	b.set[variable] = true
	return lines
}

// columns sets the variables of all columns that a step may look at.
func (b *blockWriter) columns(n *needs) ([]string, error) {
	type use struct {
		column
		form
	}
	uses := map[use]bool{}
	for id, columns := range n.sets {
		for _, c := range columns {
			uses[use{c, formOf(c, id[0] == '~')}] = true
		}
	}
	var lines []string
	for _, u := range slices.SortedFunc(maps.Keys(uses), func(a, b use) int {
		return cmp.Or(compareColumns(a.column, b.column), cmp.Compare(a.suffix, b.suffix))
	}) {
		if u.subject == matching.SubjectQuery {
			lines = append(lines, b.once("txn.query", queryLines)...)
		}
		set, err := b.variables.set(u.column, u.form, "if undecided")
		if err != nil {
			return nil, err
		}
		lines = append(lines, set...)
	}
	return lines, nil
}

// lookup finds the candidate of an entry by one tuple, or by regular expressions.
type lookup struct {
	before    []string
	key       string
	condition string
}

// expression is the lookup as a word, with a position that is never the best where there is nothing.
func (l lookup) expression(folder, converter string) string {
	if converter == "" {
		return "'" + l.key + ",map_str(" + folder + "matches.map,999999)'"
	}
	return "'" + l.key + ",map_str(" + folder + "matches.map)," + converter + "'"
}

// lookups are all that the entries of a step may ask for.
func (b *blockWriter) lookups(n *needs, base string) []lookup {
	var list []lookup
	every := ""
	if n.all {
		every = " ';" + everySet + ";'"
	}
	side := b.routes.sides.converter
	for _, id := range slices.Sorted(maps.Keys(n.sets)) {
		about := "# Set " + id + ": " + Comment(setName(n.sets[id], id[0] == '~')[1:])
		condition := "{ var(txn.target) -m sub -- ';" + id + ";'" + every + " }"
		key := base + ",concat(|" + id + ")"
		if id[0] != '~' {
			for _, c := range n.sets[id] {
				key += ",concat(|," + b.variables.of(c, formOf(c, false)) + ")"
			}
			list = append(list, lookup{[]string{about}, key + side, condition})
			continue
		}
		subject := "var(txn.shape)"
		for _, c := range n.sets[id] {
			subject += `,concat("\n",` + b.variables.of(c, plain) + ")"
		}
		list = append(list, lookup{
			[]string{
				about,
				fmt.Sprintf("http-request set-var(txn.shape) '%s%s,map_str(%smatches.map,-)' if %s", key, side, b.folder, condition),
				fmt.Sprintf("http-request set-var(txn.index) '%s,map_reg(%sregexes.map,-)' if %s", subject, b.folder, condition),
			},
			key + ",concat(|,txn.index)" + side, condition,
		})
	}
	return list
}
