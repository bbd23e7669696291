#!/bin/sh
# Installs what the tests of other implementations of gRPC run, Debian's own packages: a browser for gRPC-Web (chromium), and gRPC on the
# C core for Python (python3-grpcio). As root, once; anybody else is told what to install.
#
#   test/others.sh          install what is missing, then print the programs: the browser and the Python that has gRPC
#   test/others.sh --list   only print them; fail when one is missing
set -eu

browser=/usr/bin/chromium
python=/usr/bin/python3

die() { echo "test/others.sh: $*" >&2; exit 1; }

# missing prints the packages that aren't there: each is asked for what the tests need of it.
missing() {
	[ -x $browser ] || echo chromium
	$python -c 'import grpc' 2>/dev/null || echo python3-grpcio
}

case ${1:-} in
--list | '') ;;
*) die "usage: test/others.sh [--list]" ;;
esac
# shellcheck disable=SC2046
set -- "${1:-}" $(missing)
how=$1
shift
if [ $# != 0 ]; then
	[ "$how" != --list ] || die "Debian's $* missing: run test/others.sh as root, or: sudo apt-get install $*"
	if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
		die "Debian's $* missing: sudo apt-get install $*"
	fi
	echo "test/others.sh: installing $*" >&2
	apt-get -q update >&2
	DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends install "$@" >&2
	# shellcheck disable=SC2046
	set -- $(missing)
	[ $# = 0 ] || die "$* still missing: they are installed, and don't work"
fi
echo "$browser"
echo "$python"
