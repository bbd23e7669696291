// Package e2e tests gatewright from manifests to answered calls: every proxy that test/proxies.sh installs is
// started on what is rendered for it, with gRPC servers behind it and grpc-go clients in front. It has tests
// only; test/harness does the work.
package e2e
