// Package cluster runs a real control plane for tests: etcd, kube-apiserver with RBAC and, where asked for,
// kube-controller-manager, as processes on a loopback address of their own. test/cluster/build.sh builds the
// programs; package pods below runs Pods in it. It serves the tests under test/ and may import everything but them.
package cluster
