#!/bin/sh
# Runs tests by gotestsum and says what came of them: the time of each package, and at the end what failed. A test
# that fails is run again by itself, at most twice, and at most five tests in a run. One that passes then is named
# as flaky: it is a defect with a cause. More than five, or one that fails each time, fails the run.
#
#   test/suite.sh ./...                                  every package
#   test/suite.sh './test/e2e ./test/run' -run TestTLS   packages as one argument, then flags of go test
#
# What failed tests leave, the logs of proxies and of gatewright and the calls that went wrong, is kept in
# $GATEWRIGHT_FAILED (default: gatewright-failed in the folder for temporary files), beside tests.json, which has all
# that every test said.
set -u

packages=${1:?usage: test/suite.sh PACKAGES [flags of go test]}
shift
export GATEWRIGHT_FAILED="${GATEWRIGHT_FAILED:-${TMPDIR:-/tmp}/gatewright-failed}"
mkdir -p "$GATEWRIGHT_FAILED" || exit 1
flaky=$GATEWRIGHT_FAILED/flaky.txt
rm -f "$flaky"

# One package at a time: proxies, servers and callers of two would take each other's processors. Nothing from the
# cache: it does not know of the programs that tests build and run. Binaries without debug information link sooner, and
# go vet has a target of its own: make lint.
${GO:-go} tool gotestsum --format pkgname-and-test-fails --format-icons text --hide-summary skipped \
	--jsonfile "$GATEWRIGHT_FAILED/tests.json" --rerun-fails=2 --rerun-fails-max-failures=5 --rerun-fails-report "$flaky" \
	--packages "$packages" -- -p 1 -count 1 -vet=off -ldflags=-w "$@"
code=$?

if [ -s "$flaky" ]; then
	echo
	echo 'Tests that failed and were run again, each a defect with a cause:'
	sed 's/^/  /' "$flaky"
fi
if [ "$code" != 0 ] || [ -s "$flaky" ]; then
	echo
	echo "What they left: $GATEWRIGHT_FAILED"
fi
exit "$code"
