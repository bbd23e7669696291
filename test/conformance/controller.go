package main

import (
	"path/filepath"
	"regexp"

	"github.com/gatewright/gatewright/test/cluster"
	"github.com/gatewright/gatewright/test/cluster/pods"
	"github.com/gatewright/gatewright/test/harness"
)

const (
	className = "gateway-conformance"
	// pool are the addresses that Gateways get. One of them is named by a test, and so is one that nothing has.
	pool     = "198.18.0.0/24"
	usable   = "198.18.0.250"
	unusable = "192.0.2.1"
)

// startCluster starts a control plane with the Gateway API, in which the suite's Pods run.
func startCluster(t harness.T, echo string) *cluster.Cluster {
	c := cluster.Start(t, cluster.Options{Controllers: true})
	c.InstallGatewayAPI(cluster.Standard)
	echo, err := filepath.Abs(echo)
	if err != nil {
		t.Fatalf("%v", err)
	}
	pods.Run(t, pods.Options{Config: c.Config(), Programs: map[string]string{"/echo-basic:": echo}, Line: withoutQuery})
	return c
}

// startController starts gatewright with a class of its own.
func (o *options) startController(t harness.T, c *cluster.Cluster, proxy harness.Proxy) {
	t.Helper()
	c.StartGatewright(t, cluster.Gatewright{
		Program: o.gatewright, Proxy: proxy, Class: className, Args: []string{"--address-pool", pool},
	})
}

// echoed is how the suite's server logs a request.
var echoed = regexp.MustCompile(`^(Echoing back request made to [^?]*)\?\S*( to client .*)$`)

// withoutQuery takes the query from a line of the suite's server. The suite tells its requests apart by a query and looks for
// their paths in the log; the last release of the server that there is logs the query too.
func withoutQuery(line string) string { return echoed.ReplaceAllString(line, "$1$2") }
