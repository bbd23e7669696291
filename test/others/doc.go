// Package others tests gatewright with programs of others, which test/others.sh installs: a browser, whose pages speak gRPC-Web, the C core
// of gRPC, as client and as server, and what Prometheus makes of its metrics and alerts.
package others
