// Command gatewright serves Gateway API GRPCRoutes and HTTPRoutes on nginx and HAProxy. This package holds the flags and the wiring, one
// file a subcommand; everything else is in the packages that it calls, but for install and version, which are here whole. It knows no proxy by
// itself: runtime/proxies does.
//
// The names of commands and flags, and the exit codes, are a contract: 0 is fine, 1 an error, 2 that something asked for isn't served
// (the rest is done all the same), 3 that a folder differs. Every flag has a variable, GATEWRIGHT_ and its name, which it beats;
// docs/cli.md names them all.
package main
