package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/gatewright/gatewright/test/harness"
)

// Hand-written configurations are the least that a person would write for the calls of a workload: all of it to
// one backend without a look at the call, or a lookup of the whole path where there are several.

const handNginx = `worker_processes auto;
pid %[1]s/nginx.pid;
error_log stderr;
events { worker_connections 16384; }
http {
  access_log off;
  client_body_temp_path %[1]s/body; proxy_temp_path %[1]s/proxy; fastcgi_temp_path %[1]s/fastcgi; scgi_temp_path %[1]s/scgi; uwsgi_temp_path %[1]s/uwsgi;
  keepalive_requests 1000000000; client_max_body_size 0;
  map_hash_max_size 65536; map_hash_bucket_size 256;
%[3]s  server {
    %[2]s
    location / { grpc_pass grpc://%[4]s; grpc_set_header Host $http_host; }
  }
}
`

const handHAProxy = `global
    default-path config
defaults
    mode http
    timeout client 1h
    timeout server 1h
    timeout connect 5s
frontend front
    bind %s proto h2
%s%s`

// backendAt is a Service of a workload and the IP address and port of its endpoint.
type backendAt struct{ name, address string }

// hand is a way to write a configuration by hand. Backend says for each path which backend it goes to.
type hand func(p harness.Proxy, dir, address string, backends []backendAt, paths []path) map[string]string

// path is the path of a rule's calls, and the number of its backend.
type path struct {
	text    string
	backend int
}

func byHand(p harness.Proxy, dir, address string, backends []backendAt, paths []path) map[string]string {
	if p.Name == "haproxy" {
		return byHandHAProxy(address, backends, paths)
	}
	listen := "listen " + address + " http2;"
	if p.Capabilities.Version.AtLeast(1, 25, 1) {
		listen = "listen " + address + "; http2 on;"
	}
	var blocks strings.Builder
	for _, b := range backends {
		fmt.Fprintf(&blocks, "  upstream %s { server %s; keepalive 128; keepalive_requests 1000000000; }\n", b.name, b.address)
	}
	target := backends[0].name
	if len(backends) > 1 {
		target = "$backend"
		blocks.WriteString("  map $request_uri $backend {\n")
		for _, p := range paths {
			fmt.Fprintf(&blocks, "    %s %s;\n", p.text, backends[p.backend].name)
		}
		blocks.WriteString("  }\n")
	}
	return map[string]string{p.ConfigFile: fmt.Sprintf(handNginx, dir, listen, blocks.String(), target)}
}

func byHandHAProxy(address string, backends []backendAt, paths []path) map[string]string {
	if len(backends) == 1 {
		return map[string]string{"haproxy.cfg": fmt.Sprintf(handHAProxy, address, "    default_backend "+backends[0].name+"\n",
			sections(backends))}
	}
	var m strings.Builder
	for _, p := range paths {
		fmt.Fprintf(&m, "%s %s\n", p.text, backends[p.backend].name)
	}
	return map[string]string{
		"haproxy.cfg": fmt.Sprintf(handHAProxy, address,
			"    http-request set-var(txn.backend) path,map_str(paths.map)\n    use_backend %[var(txn.backend)]\n", sections(backends)),
		"paths.map": m.String(),
	}
}

// linear is HAProxy with a line for each rule, which it goes through one after the other.
func linear(_ harness.Proxy, _, address string, backends []backendAt, paths []path) map[string]string {
	var lines strings.Builder
	for _, p := range paths {
		fmt.Fprintf(&lines, "    use_backend %s if { path %s }\n", backends[p.backend].name, p.text)
	}
	return map[string]string{"haproxy.cfg": fmt.Sprintf(handHAProxy, address, lines.String(), sections(backends))}
}

func sections(backends []backendAt) string {
	var out strings.Builder
	for _, b := range backends {
		fmt.Fprintf(&out, "backend %s\n    server s %s proto h2\n", b.name, b.address)
	}
	return out.String()
}

// startHand writes a configuration by hand and starts the proxy on it.
func startHand(t harness.T, p harness.Proxy, name string, write hand, backends []backendAt, paths []path) *contender {
	dir, address := harness.TempDir(t), harness.Address(t)+":8080"
	for file, text := range write(p, dir, address, backends, paths) {
		if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o644); err != nil {
			t.Fatalf("write the configuration by hand: %v", err)
		}
	}
	c := &contender{
		name: name, check: checkTime(t, p, dir),
		process: harness.Start(t, p.Binary, p.Run(dir)...), client: harness.NewClient(t), address: address,
	}
	c.process.WaitListening(address)
	return c
}
