// Command gatewright serves Gateway API GRPCRoutes and HTTPRoutes on nginx and HAProxy. This package holds the flags and the
// wiring, one file a subcommand; everything else is in the packages that it calls, but for install and version, which are here whole. It knows no proxy by itself: runtime/proxies does.
package main
