// Package others tests gatewright with other implementations of gRPC than grpc-go, which test/others.sh installs: a browser, whose pages
// speak gRPC-Web, and the C core, as client and as server.
package others
