// Package controller tests `gatewright controller` as a program in a real cluster: it has the rights of
// deploy/controller, the API server and etcd come and go, and gRPC clients tell what they saw of it.
package controller
