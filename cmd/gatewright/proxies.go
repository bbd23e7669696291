package main

import (
	"context"
	"fmt"
	"slices"

	"github.com/gatewright/gatewright/generators"
	haproxyfiles "github.com/gatewright/gatewright/generators/haproxy"
	"github.com/gatewright/gatewright/generators/model"
	nginxfiles "github.com/gatewright/gatewright/generators/nginx"
	haproxybinary "github.com/gatewright/gatewright/runtime/haproxy"
	nginxbinary "github.com/gatewright/gatewright/runtime/nginx"
)

// proxy is all that the subcommands know of one kind of proxy.
type proxy struct {
	name      string
	generator func(generators.Options) generators.Generator
	// stated are the capabilities of a version as it is usually built.
	stated func(model.Version) model.Capabilities
	// asked are the capabilities that a binary tells.
	asked func(ctx context.Context, binary string) (model.Capabilities, error)
	// usual is the version that is taken when none is named.
	usual model.Version
	// marker is the name of the socket in --state-dir.
	marker string
	// users are whom workers run as that would be root's otherwise; nil for a proxy that sees to that by itself.
	users []string
	// calls is the name of the file in --state-dir for what the proxy says of calls; "" when it says nothing of them.
	calls string
	// run makes what runs or joins the proxy.
	run func(runnerOptions) (runner, error)
	// mainFile is the file that the proxy is started with, and join makes what reloads a running proxy that was
	// started with such a file.
	mainFile string
	join     func(o runnerOptions, config string) (validating, error)
}

// proxies are all of them; the first is the default.
var proxies = []proxy{
	{
		name:      "nginx",
		generator: func(o generators.Options) generators.Generator { return nginxfiles.New(o) },
		stated:    nginxfiles.CapabilitiesOf,
		asked:     nginxbinary.Capabilities,
		usual:     model.Version{Major: 1, Minor: 26, Patch: 3},
		marker:    "nginx.sock",
		calls:     "nginx-calls.log",
		run:       runNginx,
		mainFile:  "nginx.conf",
		join:      joinNginx,
	},
	{
		name:      "haproxy",
		generator: func(o generators.Options) generators.Generator { return haproxyfiles.New(o) },
		stated:    haproxyfiles.CapabilitiesOf,
		asked:     haproxybinary.Capabilities,
		usual:     model.Version{Major: 3, Minor: 0, Patch: 11},
		marker:    "haproxy.sock",
		users:     []string{"haproxy", "nobody"},
		run:       runHAProxy,
		mainFile:  "haproxy.cfg",
		join:      joinHAProxy,
	},
}

func proxyNames() []string {
	var names []string
	for _, p := range proxies {
		names = append(names, p.name)
	}
	return names
}

func proxyNamed(name string) *proxy {
	// The flag takes no other name.
	return &proxies[slices.Index(proxyNames(), name)]
}

// capabilities finds out what the proxy can do (R4). The note says where a version came from that nobody named.
func (o *options) capabilities(ctx context.Context) (caps model.Capabilities, note string, err error) {
	p := proxyNamed(o.proxy)
	switch {
	case o.proxyBinary != "" && o.proxyVersion != "":
		return caps, "", fmt.Errorf("--proxy-binary and --proxy-version exclude each other: a binary tells its version")
	case o.proxyBinary != "":
		caps, err = p.asked(ctx, o.proxyBinary)
		return caps, "", err
	case o.proxyVersion != "":
		v, err := model.ParseVersion(o.proxyVersion)
		if err != nil {
			return caps, "", fmt.Errorf("--proxy-version: %w", err)
		}
		return p.stated(v), "", nil
	}
	return p.stated(p.usual), fmt.Sprintf("taking %s %s, for neither --proxy-binary nor --proxy-version names yours", p.name, p.usual), nil
}
