#!/bin/sh
# Installs what the tests of other programs run, Debian's own packages: a browser for gRPC-Web (chromium), gRPC on the C core for Python
# (python3-grpcio), and promtool for alerts (prometheus). As root, once; anybody else is told what to install.
#
#   test/others.sh          install what is missing, then print the programs: the browser, the Python that has gRPC, promtool
#   test/others.sh --list   only print them; fail when one is missing
set -eu

browser=/usr/bin/chromium
python=/usr/bin/python3
promtool=/usr/bin/promtool

die() { echo "test/others.sh: $*" >&2; exit 1; }

# missing prints the packages that aren't there: each is asked for what the tests need of it.
missing() {
	[ -x $browser ] || echo chromium
	$python -c 'import grpc' 2>/dev/null || echo python3-grpcio
	[ -x $promtool ] || echo prometheus
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
echo "$promtool"
