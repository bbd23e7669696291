// Package harness runs what gatewright renders: manifests become a running proxy with gRPC servers behind it
// and grpc-go clients in front of it. It serves the tests under test/ and may import everything but them.
//
// Everything binds loopback addresses of its own (127.a.b.c, so Linux only), so that tests of several
// packages run at the same time and ports can stay what the manifests say.
package harness
