// Package run tests `gatewright run` as a program: manifests change, things are killed, and gRPC clients tell what
// they saw of it.
package run
