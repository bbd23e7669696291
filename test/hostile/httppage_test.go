package hostile

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/gatewright/gatewright/test/harness"
	"github.com/gatewright/gatewright/test/hostile/adversary"
)

var update = flag.Bool("update", false, "rewrite docs/http-paths.md")

// page is what one proxy answers, row by row.
type page struct{ paths, http1, http2 []string }

// pageHead begins the page; ´ stands for the quotes of code.
const pageHead = `# What hostile HTTP requests get

No request comes to a rule of an HTTPRoute that its own bytes don't match. Paths are matched and passed on as they came, and one
that another reader could take for another path is answered 400: with segments ´.´ and ´..´ in any spelling, ´//´, ´\´, ´#´, a ´%´
that begins no code, codes of control characters, of letters and digits, and of ´-´, ´.´, ´_´ and ´\´. ´%2F´ and all other codes
are data: a backend that decodes ´%2F´ before it looks at a path sees two segments where the rule saw one.

Written by ´go test ./test/hostile -run TestHTTPPaths -update´, which asks every proxy of the tests. There are rules for
´/public´, for ´/public´ with ´x-role: admin´, and for ´/admin´, of one host, and one for another host. An answer is the name of
the rule's Service (public, role, admin, b), a status of the proxy, *ends* where the connection or the stream ends without one, or
*waits* where the proxy waits for more of the request.

nginx doesn't tell ´_´ in the name of a header from ´-´, and takes a tab around a value, in HTTP/2 a space too, for a part of it:
a backend may read such a header as one that another rule matches. Let no rule stand for a right that a header alone gives.
`

// checkPage holds docs/http-paths.md against what the proxies answer.
func checkPage(t *testing.T, proxies []harness.Proxy, pages []page) {
	t.Helper()
	const file = "../../docs/http-paths.md"
	text := strings.ReplaceAll(pageHead, "´", "`")
	var quoted []string
	for _, p := range adversary.Paths {
		quoted = append(quoted, code(p))
	}
	text += table("Paths", "HTTP/1.1 in cleartext and HTTP/2 by TLS, with \" / \" between where they differ. A path with a blank or a NUL is "+
		"asked for in HTTP/2 only.", quoted, proxies, pages, func(p page) []string { return p.paths })
	var names []string
	for _, row := range adversary.HTTP1 {
		names = append(names, row.Name)
	}
	text += table("Requests of HTTP/1.1", "A good request stands behind each, whose answer is left out. *public* means that the odd part "+
		"changes nothing.", names, proxies, pages, func(p page) []string { return p.http1 })
	names = nil
	for _, row := range adversary.HTTP2 {
		names = append(names, row.Name)
	}
	text += table("Requests of HTTP/2", "By TLS.", names, proxies, pages, func(p page) []string { return p.http2 })
	if *update {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v (-update writes it)", err)
	}
	if string(have) == text {
		return
	}
	t.Errorf("%s is stale: look at what differs, and run this test with -update", file)
	was := strings.Split(string(have), "\n")
	for line := range strings.SplitSeq(text, "\n") {
		if !slices.Contains(was, line) {
			t.Errorf("new: %s", line)
		}
	}
}

// code is a text as code in a table.
func code(text string) string {
	if text == "" {
		return "nothing"
	}
	quoted := fmt.Sprintf("%q", text)
	quoted = strings.ReplaceAll(quoted[1:len(quoted)-1], `\\`, `\`)
	quoted = strings.ReplaceAll(strings.ReplaceAll(quoted, `\"`, `"`), "|", `\|`)
	if strings.Contains(quoted, "`") {
		return "`` " + quoted + " ``"
	}
	return "`" + quoted + "`"
}

// table has a row for each request: the answer that most proxies give, and who gives others.
func table(title, about string, names []string, proxies []harness.Proxy, pages []page, column func(page) []string) string {
	text := fmt.Sprintf("\n## %s\n\n%s\n\n| | answer | but |\n|---|---|---|\n", title, about)
	for i, name := range names {
		by := map[string][]string{}
		var answers []string
		for j, p := range proxies {
			answer := column(pages[j])[i]
			if by[answer] == nil {
				answers = append(answers, answer)
			}
			by[answer] = append(by[answer], short(p))
		}
		most := slices.MaxFunc(answers, func(a, b string) int { return len(by[a]) - len(by[b]) })
		var others []string
		for _, a := range answers {
			if a != most {
				others = append(others, fmt.Sprintf("%s: %s", strings.Join(by[a], ", "), a))
			}
		}
		text += fmt.Sprintf("| %s | %s | %s |\n", name, most, strings.Join(others, "; "))
	}
	return text
}

// short is a proxy as docs name it: nginx 1.22, HAProxy 3.0.
func short(p harness.Proxy) string {
	v := p.Capabilities.Version
	name := map[string]string{"nginx": "nginx", "haproxy": "HAProxy"}[p.Name]
	return fmt.Sprintf("%s %d.%d", name, v.Major, v.Minor)
}
