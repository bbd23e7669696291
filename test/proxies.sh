#!/bin/sh
# Installs the proxies that the tests run: nginx and HAProxy of Debian 12, 13 and the release after it, and
# the HAProxy of Debian's experimental, which is its next one. The host's own packages serve its own release; the others come through debootstrap and are kept in
# $GATEWRIGHT_PROXIES (default: ~/.cache/gatewright/proxies), where a second run finds them. Needs root
# the first time, and says so where it isn't.
#
#   test/proxies.sh          install what is missing, then print the binaries, one a line
#   test/proxies.sh --host   the same for the host's own release only: enough to try things out
#   test/proxies.sh --list   only print them; fail when one is missing
#
# GATEWRIGHT_SUITES='trixie forky' takes these releases only, GATEWRIGHT_SUITES=host the host's own.
set -eu

suites='bookworm trixie forky experimental'
root=${GATEWRIGHT_PROXIES:-${XDG_CACHE_HOME:-$HOME/.cache}/gatewright/proxies}
# shellcheck source=/dev/null
host=$(. /etc/os-release && echo "${VERSION_CODENAME:-unknown}")
PATH=$PATH:/usr/sbin:/sbin
only=${GATEWRIGHT_SUITES:-}

die() { echo "test/proxies.sh: $*" >&2; exit 1; }
say() { echo "test/proxies.sh: $*" >&2; }

# proxies SUITE prints the names of the proxies that are taken from a suite.
proxies() {
	if [ "$1" = experimental ]; then echo haproxy; else echo nginx haproxy; fi
}

# binary SUITE NAME prints where a suite's proxy is, or is to be.
binary() {
	if [ "$1" = "$host" ]; then echo "/usr/sbin/$2"; else echo "$root/$1/usr/sbin/$2"; fi
}

installed() {
	if [ "$1" = "$host" ]; then
		[ -x /usr/sbin/nginx ] && [ -x /usr/sbin/haproxy ]
	else
		[ -e "$root/$1/.complete" ]
	fi
}

need_root() {
	[ "$(id -u)" = 0 ] && return
	die "$1 is missing. Run once as root: sudo GATEWRIGHT_PROXIES=$root test/proxies.sh"
}

# packages NAME... installs the host's packages whose command is missing.
packages() {
	missing=
	for p in "$@"; do
		dpkg-query -W -f '${Status}' "$p" 2>/dev/null | grep -q 'ok installed' || missing="$missing $p"
	done
	[ -n "$missing" ] || return 0
	need_root "Debian's package$missing"
	say "installing$missing"
	# No service of these packages is started: the tests start their own.
	policy=/usr/sbin/policy-rc.d
	if [ ! -e $policy ]; then
		printf '#!/bin/sh\nexit 101\n' >$policy
		chmod +x $policy
		trap 'rm -f $policy' EXIT
	fi
	apt-get -q update >&2
	# shellcheck disable=SC2086
	DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends install $missing >&2
}

# bootstrap SUITE makes a tree of that release with its proxies in it, and points the binaries at the tree's own
# libraries, so that they run from outside it like any program. Debian's experimental is no release: its packages
# go into a tree of the unstable one, which has them once they have left experimental.
bootstrap() {
	packages debootstrap patchelf
	need_root "Debian $1's $(proxies "$1")"
	say "making a tree of Debian $1 (once; a few minutes)"
	tree=$root/$1
	release=$1
	[ "$1" != experimental ] || release=sid
	rm -rf "$tree"
	mkdir -p "$tree"
	if [ -e "/usr/share/debootstrap/scripts/$release" ]; then
		debootstrap --variant=minbase "$release" "$tree" >&2
	else
		mirror=$(sed -n 's/^DEF_MIRROR="\(.*\)"$/\1/p' /usr/sbin/debootstrap | head -n 1)
		debootstrap --variant=minbase "$release" "$tree" "$mirror" /usr/share/debootstrap/scripts/sid >&2
	fi
	if [ "$release" != "$1" ]; then
		sed -n "s/ $release / $1 /p" "$tree/etc/apt/sources.list" >"$tree/etc/apt/sources.list.d/$1.list"
	fi
	printf '#!/bin/sh\nexit 101\n' >"$tree/usr/sbin/policy-rc.d"
	chmod +x "$tree/usr/sbin/policy-rc.d"
	# A testing release's index may be past its date on a mirror that lags; its signature is checked all the same.
	echo 'Acquire::Check-Valid-Until "false";' >"$tree/etc/apt/apt.conf.d/90gatewright"
	chroot "$tree" sh -c "apt-get -q update &&
		DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends -t $1 install $(proxies "$1")" >&2
	lib=$(dirname "$(find "$tree/usr/lib" -maxdepth 2 -name 'libc.so.6' | head -n 1)")
	loader=$(find "$tree/usr/lib" "$tree/usr/lib64" -maxdepth 2 -name 'ld-linux*.so.*' | head -n 1)
	for p in $(proxies "$1"); do
		patchelf --set-interpreter "$loader" --force-rpath --set-rpath "$lib" "$tree/usr/sbin/$p"
		"$tree/usr/sbin/$p" -v >&2 || die "$p of Debian $1 does not start from $tree"
	done
	rm -rf "$tree/var/cache/apt" "$tree/var/lib/apt/lists" "$tree/usr/share/doc" "$tree/usr/share/locale"
	: >"$tree/.complete"
}

case ${1:-} in
--list | '') ;;
--host) only=host ;;
*) die "usage: test/proxies.sh [--host | --list]" ;;
esac
if [ "$only" = host ]; then
	case " $suites " in
	*" $host "*) only=$host ;;
	*) die "this is no Debian of $suites: install nginx yourself and name it, as in 'make demo NGINX=/usr/sbin/nginx'" ;;
	esac
fi
suites=${only:-$suites}

for suite in $suites; do
	if ! installed "$suite"; then
		[ "${1:-}" != --list ] || die "the proxies of Debian $suite are missing: run test/proxies.sh"
		if [ "$suite" = "$host" ]; then packages nginx-light haproxy; else bootstrap "$suite"; fi
	fi
done
for suite in $suites; do
	for p in $(proxies "$suite"); do binary "$suite" "$p"; done
done
