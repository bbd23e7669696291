package main

import (
	"path/filepath"

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
	pods.Run(t, pods.Options{Config: c.Config(), Programs: map[string]string{"/echo-basic:": echo}})
	return c
}

// startController starts gatewright with a class of its own.
func (o *options) startController(t harness.T, c *cluster.Cluster, proxy harness.Proxy) {
	t.Helper()
	c.StartGatewright(t, cluster.Gatewright{
		Program: o.gatewright, Proxy: proxy, Class: className, Args: []string{"--address-pool", pool},
	})
}
