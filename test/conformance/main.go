package main

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/gatewright/gatewright/test/cluster/isolated"
	"github.com/gatewright/gatewright/test/harness"
)

// options are the program's flags.
type options struct {
	proxy, binary string
	gatewright    string
	suite, echo   string
	report, test  string
	version       string
	// rest goes to the suite.
	rest []string
}

func main() {
	var o options
	flag.StringVar(&o.proxy, "proxy", "nginx", "`proxy` to run: nginx or haproxy for the newest that is installed, or a version such as "+
		"nginx-1.26")
	flag.StringVar(&o.binary, "proxy-binary", "", "`file` of the proxy, instead of an installed one")
	flag.StringVar(&o.gatewright, "gatewright", "bin/gatewright", "gatewright's `file`")
	flag.StringVar(&o.suite, "suite", "bin/conformance-suite", "`file` of the suite, compiled")
	flag.StringVar(&o.echo, "echo", "bin/echo-basic", "`file` of the suite's server")
	flag.StringVar(&o.report, "report", "docs/conformance", "`folder` for the report")
	flag.StringVar(&o.test, "run", "", "run one `test` only, and write no report")
	flag.StringVar(&o.version, "version", "", "`version` of gatewright that the report names")
	flag.Usage = func() {
		fmt.Fprintln(flag.CommandLine.Output(), "usage: conformance [flags] [-- flags of the suite]")
		flag.PrintDefaults()
	}
	flag.Parse()
	o.rest = flag.Args()
	os.Exit(isolated.Run(func() int {
		stage := harness.NewStage("conformance")
		o.run(stage)
		stage.End()
		return 0
	}))
}

// run brings everything up and runs the suite.
func (o *options) run(t harness.T) {
	proxy := o.choose(t)
	if err := isolated.AddLocal(pool); err != nil {
		t.Fatalf("%v", err)
	}
	c := startCluster(t, o.echo)
	o.startController(t, c, proxy)
	o.runSuite(t, c, proxy)
}

// choose finds the proxy that is asked for.
func (o *options) choose(t harness.T) harness.Proxy {
	var found []harness.Proxy
	if o.binary != "" {
		found = append(found, harness.ProxyAt(t, o.binary))
	} else {
		for _, p := range harness.Proxies(t) {
			if strings.HasPrefix(p.String(), o.proxy) {
				found = append(found, p)
			}
		}
	}
	if len(found) == 0 {
		t.Fatalf("no proxy that is installed is %s; test/proxies.sh --list names those that are", o.proxy)
	}
	return slices.MaxFunc(found, func(a, b harness.Proxy) int {
		return a.Capabilities.Version.Compare(b.Capabilities.Version)
	})
}
