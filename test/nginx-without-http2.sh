#!/bin/sh
# Builds Debian's own source of nginx without HTTP/2, for the tests of what such a binary makes unsupported, and
# prints where it is. A second run finds it in $GATEWRIGHT_PROXIES (default: ~/.cache/gatewright/proxies).
# Needs gcc and make, and no root; about a minute.
set -eu

root=${GATEWRIGHT_PROXIES:-${XDG_CACHE_HOME:-$HOME/.cache}/gatewright/proxies}
binary=$root/without-http2/nginx
if [ -x "$binary" ]; then
	echo "$binary"
	exit
fi
die() { echo "test/nginx-without-http2.sh: $*" >&2; exit 1; }
for tool in gcc make dpkg-source apt-get; do
	command -v $tool >/dev/null || die "$tool is missing: install build-essential and dpkg-dev"
done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
. /etc/os-release
# The host's sources with deb-src instead of deb, and lists of their own, so that nothing of the host changes.
mkdir -p "$work/lists/partial" "$work/source"
mirror=$(sed -n 's/^URIs: *\([^ ]*debian\) *$/\1/p; s/^deb *\(\[[^]]*\] *\)\{0,1\}\([^ ]*debian\) .*/\2/p' /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null | head -n 1)
[ -n "$mirror" ] || die "no Debian mirror in /etc/apt"
echo "deb-src [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $VERSION_CODENAME main" >"$work/sources.list"
apt() {
	apt-get -q -o Dir::Etc::SourceList="$work/sources.list" -o Dir::Etc::SourceParts=/dev/null -o Dir::State::Lists="$work/lists" \
		-o APT::Sandbox::User= -o Acquire::Check-Valid-Until=false "$@" >&2
}
apt update
cd "$work/source"
apt source nginx
cd nginx-*/
# The marker and the messages need regular expressions, and nothing here needs compression.
set -- --without-http_gzip_module
[ -e /usr/include/pcre2.h ] || set -- "$@" --without-http_rewrite_module
./configure --with-cc-opt='-O1 -w' "$@" >&2
make -j2 >&2
mkdir -p "$root/without-http2"
cp objs/nginx "$binary.new"
mv "$binary.new" "$binary"
echo "$binary"
