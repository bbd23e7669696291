// Package pods is a kubelet and a scheduler for tests without a container runtime: each Pod is a process in a
// network namespace with an address of its own, chrooted to a folder with its program and the Secrets and
// ConfigMaps that it mounts. It may import test/harness.
package pods
