package hostile

import (
	"strings"
	"testing"

	"github.com/gatewright/gatewright/test/harness"
)

// keyPairs are certificates whose names meet the listeners', and mean something to a proxy.
func keyPairs(t *testing.T) []harness.KeyPair {
	return []harness.KeyPair{
		harness.Certificate(t, "a.b", "*.a.b", "A.B"),
		harness.Certificate(t, "*.example.com", "example.com", "default", "_"),
		harness.Certificate(t, "a.a.b", "b.a.a.b", "*.b", "*.com"),
		harness.Certificate(t, "x;}", "$host", `"`, "*.*.b", "a b", "~^.*$", "..", "*"),
		harness.Certificate(t, strings.Repeat("a.", 120)+"b", "."+"a.b", "*."+strings.Repeat("a.", 120)+"b"),
	}
}
