#!/bin/sh
# Installs the C compiler that the race detector needs, Debian's own, where it is missing: as root, once. Anybody else is told what
# to install.
set -eu

if echo '#include <stdlib.h>' | ${CC:-gcc} -E - >/dev/null 2>&1; then exit 0; fi
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
	echo "test/compiler.sh: the race detector needs ${CC:-gcc} with the headers of the C library: sudo apt-get install gcc libc6-dev" >&2
	exit 1
fi
echo 'test/compiler.sh: installing gcc libc6-dev' >&2
apt-get -q update >&2
DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends install gcc libc6-dev >&2
