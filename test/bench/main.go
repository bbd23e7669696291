// Command bench measures gatewright and the configurations that it renders, and prints tables:
//
//	go run ./test/bench            all of it, some minutes
//	go run ./test/bench -calls 0   without the proxies' CPU a call
//
// Everything is compared within one run, for no two machines, and no two hours of one, are alike. It is test
// support: it may import everything.
package main

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"strings"

	"github.com/gatewright/gatewright/test/harness"
)

// sizes are the numbers of rules that are measured.
var sizes = []int{10, 1000, 10000}

func main() {
	calls := flag.Int("calls", 20000, "calls of one round of the CPU measurement; 0 leaves it out")
	rounds := flag.Int("rounds", 5, "rounds of each configuration, taken in turns")
	only := flag.String("proxy", "", "measure only proxies whose name, such as nginx-1.26.3, has this in it")
	flag.Parse()

	t := &program{}
	scope := harness.NewScope(t)
	t.scope = scope
	fmt.Printf("%d CPUs, %s, %s/%s\n", runtime.NumCPU(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
	var proxies []harness.Proxy
	for _, p := range harness.Proxies(scope) {
		if strings.Contains(p.String(), *only) {
			proxies = append(proxies, p)
		}
	}
	if len(proxies) == 0 {
		t.Fatalf("no proxy has %q in its name", *only)
	}
	measureRender(scope, proxies[0])
	measureGenerate(scope, proxies[0])
	measureProxies(scope, proxies, *calls, *rounds)
	scope.End()
	if t.failed {
		os.Exit(1)
	}
}

// program is the harness's view of this program.
type program struct {
	scope  *harness.Scope
	failed bool
}

func (p *program) Helper()                 {}
func (p *program) Failed() bool            { return p.failed }
func (p *program) Cleanup(func())          {}
func (p *program) Logf(f string, a ...any) { fmt.Fprintf(os.Stderr, f+"\n", a...) }
func (p *program) Errorf(f string, a ...any) {
	p.failed = true
	p.Logf(f, a...)
}

func (p *program) Fatalf(f string, a ...any) {
	p.Errorf(f, a...)
	p.scope.End()
	os.Exit(1)
}

// table prints rows as a Markdown table, its columns as wide as what is in them.
func table(title string, rows [][]string) {
	fmt.Printf("\n### %s\n\n", title)
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], len([]rune(cell)))
		}
	}
	for n, row := range rows {
		for i, cell := range row {
			fmt.Printf("| %s%s ", cell, strings.Repeat(" ", widths[i]-len([]rune(cell))))
		}
		fmt.Println("|")
		if n == 0 {
			for _, w := range widths {
				fmt.Printf("|%s", strings.Repeat("-", w+2))
			}
			fmt.Println("|")
		}
	}
}
