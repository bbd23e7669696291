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
    location / { %[4]s }
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
    bind %s%s
%s%s`

// backendAt is a Service of a workload and the IP address and port of its endpoint.
type backendAt struct{ name, address string }

// path is the path of a rule's calls, and the number of its backend.
type path struct {
	text    string
	backend int
}

// handwork is what a configuration by hand is for.
type handwork struct {
	proxy        harness.Proxy
	protocol     *protocol
	backends     []backendAt
	paths        []path
	dir, address string
}

// hand is a way to write a configuration by hand.
type hand func(handwork) map[string]string

func byHand(h handwork) map[string]string {
	if h.proxy.Name == "haproxy" {
		return byHandHAProxy(h)
	}
	listen := "listen " + h.address + ";"
	switch {
	case h.protocol.http2 && h.proxy.Capabilities.Version.AtLeast(1, 25, 1):
		listen += " http2 on;"
	case h.protocol.http2:
		listen = "listen " + h.address + " http2;"
	}
	var blocks strings.Builder
	for _, b := range h.backends {
		fmt.Fprintf(&blocks, "  upstream %s { server %s; keepalive 128; keepalive_requests 1000000000; }\n", b.name, b.address)
	}
	target := h.backends[0].name
	if len(h.backends) > 1 {
		target = "$backend"
		blocks.WriteString("  map $request_uri $backend {\n")
		for _, p := range h.paths {
			fmt.Fprintf(&blocks, "    %s %s;\n", p.text, h.backends[p.backend].name)
		}
		blocks.WriteString("  }\n")
	}
	pass := "grpc_pass grpc://" + target + "; grpc_set_header Host $http_host;"
	if h.protocol.web {
		pass = "proxy_pass http://" + target + `; proxy_set_header Host $http_host; proxy_http_version 1.1; proxy_set_header Connection "";`
	}
	return map[string]string{h.proxy.ConfigFile: fmt.Sprintf(handNginx, h.dir, listen, blocks.String(), pass)}
}

func byHandHAProxy(h handwork) map[string]string {
	if len(h.backends) == 1 {
		return map[string]string{"haproxy.cfg": h.haproxy("    default_backend " + h.backends[0].name + "\n")}
	}
	var m strings.Builder
	for _, p := range h.paths {
		fmt.Fprintf(&m, "%s %s\n", p.text, h.backends[p.backend].name)
	}
	return map[string]string{
		"haproxy.cfg": h.haproxy("    http-request set-var(txn.backend) " + h.fetch() + ",map_str(paths.map)\n    use_backend %[var(txn.backend)]\n"),
		"paths.map":   m.String(),
	}
}

// linear is HAProxy with a line for each rule, which it goes through one after the other.
func linear(h handwork) map[string]string {
	var lines strings.Builder
	for _, p := range h.paths {
		fmt.Fprintf(&lines, "    use_backend %s if { %s -m str %s }\n", h.backends[p.backend].name, h.fetch(), p.text)
	}
	return map[string]string{"haproxy.cfg": h.haproxy(lines.String())}
}

// haproxy is HAProxy's file with these lines in its frontend.
func (h handwork) haproxy(lines string) string {
	var sections strings.Builder
	for _, b := range h.backends {
		fmt.Fprintf(&sections, "backend %s\n    server s %s%s\n", b.name, b.address, h.proto())
	}
	return fmt.Sprintf(handHAProxy, h.address, h.proto(), lines, sections.String())
}

// fetch is what is looked up of a call: its path, with the query where there are some.
func (h handwork) fetch() string {
	if h.protocol.web {
		return "pathq"
	}
	return "path"
}

// proto is what follows the address of a line that is for gRPC only.
func (h handwork) proto() string {
	if h.protocol.web {
		return ""
	}
	return " proto h2"
}

// startHand writes a configuration by hand and starts the proxy on it.
func startHand(t harness.T, h handwork, name string, write hand) *contender {
	h.dir, h.address = harness.TempDir(t), harness.Address(t)+":8080"
	for file, text := range write(h) {
		if err := os.WriteFile(filepath.Join(h.dir, file), []byte(text), 0o644); err != nil {
			t.Fatalf("write the configuration by hand: %v", err)
		}
	}
	c := &contender{
		name: name, check: checkTime(t, h.proxy, h.dir),
		process: harness.Start(t, h.proxy.Binary, h.proxy.Run(h.dir)...), call: h.protocol.client(t, h.address),
	}
	c.process.WaitListening(h.address)
	return c
}
