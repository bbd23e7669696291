// Command demo shows gatewright at work: it renders the manifests of deploy/demo, runs nginx or HAProxy on them with
// gRPC and HTTP servers behind it, makes calls, says where they arrived, has `gatewright run` serve deploy/draft, and stops everything
// again. `make demo` runs it. It may import everything.
package main
