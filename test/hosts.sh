#!/bin/sh
# Makes a Debian host to try packages on: a tree of Debian 12 with systemd, nginx and HAProxy, which test/hosts boots
# in systemd-nspawn. It is kept in $GATEWRIGHT_HOSTS (default: ~/.cache/gatewright/hosts). Needs root.
#
#   test/hosts.sh          make what is missing, then print the tree's folder
set -eu

root=${GATEWRIGHT_HOSTS:-${XDG_CACHE_HOME:-$HOME/.cache}/gatewright/hosts}
tree=$root/bookworm
PATH=$PATH:/usr/sbin:/sbin

die() { echo "test/hosts.sh: $*" >&2; exit 1; }

[ "$(id -u)" = 0 ] || die "to boot a host takes root"
missing=
for p in debootstrap systemd-container systemd dpkg-dev; do
	dpkg-query -W -f '${Status}' "$p" 2>/dev/null | grep -q 'ok installed' || missing="$missing $p"
done
if [ -n "$missing" ]; then
	echo "test/hosts.sh: installing$missing" >&2
	apt-get -q update >&2
	# shellcheck disable=SC2086
	DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends install $missing >&2
fi
if [ ! -e "$tree/.complete" ]; then
	echo 'test/hosts.sh: making a tree of Debian 12 with systemd (once; two minutes)' >&2
	rm -rf "$tree"
	mkdir -p "$tree"
	debootstrap --variant=minbase --include=systemd,systemd-sysv,dbus,nginx-light,haproxy,procps bookworm "$tree" >&2
	# What the packages start by themselves isn't wanted: a test starts what it needs.
	for unit in nginx haproxy; do
		rm -f "$tree/etc/systemd/system/multi-user.target.wants/$unit.service"
	done
	: >"$tree/.complete"
fi
echo "$tree"
