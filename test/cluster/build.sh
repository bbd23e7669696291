#!/bin/sh
# Builds the control plane that the tests run: etcd, kube-apiserver and kube-controller-manager, from the
# modules that test/cluster/binaries/go.mod names. They are kept in $GATEWRIGHT_CLUSTER (default:
# ~/.cache/gatewright/cluster), in a folder named by what they were built from, so a second run only prints it.
# The first run compiles for several minutes.
#
#   test/cluster/build.sh          build what is missing, then print the folder
#   test/cluster/build.sh --dir    only print the folder; fail when it isn't complete
set -eu

go=${GO:-go}
# Whoever asks, and with whatever toolchain of ours, it is built by this one, and so found again.
export GOTOOLCHAIN=go1.27.3
module=$(cd "$(dirname "$0")" && pwd)/binaries
root=${GATEWRIGHT_CLUSTER:-${XDG_CACHE_HOME:-$HOME/.cache}/gatewright/cluster}

die() { echo "test/cluster/build.sh: $*" >&2; exit 1; }

cd "$module"
key=$(cat go.mod go.sum ../build.sh | sha256sum | cut -c 1-16)
dir=$root/$key

case ${1:-} in
'') ;;
--dir)
	[ -e "$dir/.complete" ] || die "the control plane is missing: run test/cluster/build.sh"
	echo "$dir"
	exit
	;;
*) die "usage: test/cluster/build.sh [--dir]" ;;
esac

if [ ! -e "$dir/.complete" ]; then
	echo "test/cluster/build.sh: building etcd, kube-apiserver and kube-controller-manager (once; several minutes)" >&2
	mkdir -p "$dir"
	# A build from a module doesn't know its version by itself.
	kubernetes=$("$go" list -m -f '{{.Version}}' k8s.io/kubernetes)
	minor=${kubernetes#v1.}
	x=k8s.io/component-base/version
	version="-X $x.gitVersion=$kubernetes -X $x.gitMajor=1 -X $x.gitMinor=${minor%%.*}"
	# Static, and without what only a debugger reads: that is a good part of the time to compile and link.
	build() {
		CGO_ENABLED=0 "$go" build -trimpath -gcflags=all=-dwarf=false -ldflags="-s -w $version" -o "$dir/$1.$$" "$2"
		mv "$dir/$1.$$" "$dir/$1"
	}
	build etcd go.etcd.io/etcd/server/v3
	build kube-apiserver k8s.io/kubernetes/cmd/kube-apiserver
	build kube-controller-manager k8s.io/kubernetes/cmd/kube-controller-manager
	: >"$dir/.complete"
fi
echo "$dir"
