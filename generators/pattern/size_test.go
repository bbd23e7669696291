package pattern_test

import (
	"strings"
	"testing"

	"github.com/gatewright/gatewright/generators/pattern"
)

// TestTooMuchForPCRE holds expressions that RE2 takes and PCRE refuses, and the largest that it takes.
func TestTooMuchForPCRE(t *testing.T) {
	nested := func(n int) string { return strings.Repeat("(", n) + "a" + strings.Repeat(")", n) }
	for text, ok := range map[string]bool{
		"(ab){1000}":                               true,
		strings.Repeat("(ab){1000}", 4):            true,
		strings.Repeat("(ab){1000}", 7):            false,
		"((a{3}b){10}){30}":                        true,
		strings.Repeat("((ab){30}){30}", 8):        false,
		strings.Repeat("a{1000}", 500):             true,
		strings.Repeat("[a-c]{1000}", 300):         true,
		strings.Repeat("[a-c]", 800):               true,
		"(" + strings.Repeat("[ac]", 40) + "){50}": false,
		nested(199):                   true,
		nested(250):                   false,
		strings.Repeat("(a|b)*", 300): true,
	} {
		if _, err := pattern.Parse(text); (err == nil) != ok {
			t.Errorf("%.40q (%d bytes): %v", text, len(text), err)
		}
	}
}
