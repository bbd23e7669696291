package world

import (
	"strings"
	"testing"
)

// Hostile are texts that mean something to nginx or HAProxy somewhere.
var Hostile = []string{
	"", " ", "plain", "default", "hostnames", "include", "volatile", "Default", "if", "unless", "or", "||", "!", "--", "-m", "-f",
	"/etc/passwd", "~", "~*", "~^a$", `\`, `\\`, `\~x`, `"`, `'`, `\"`, `\'`, `'\''`, "'\"'\"",
	"$", "$1", "$host", "${host}", "$HOME", "${HOME}", "${", "$$", "cost $5", `\$x`, `$gw_dollar`, `${gw_dollar}`,
	";", "{}", "}", "{", "{ always_true }", "#", "# x", "a#b", "a;b}", ";a;", "?a", "|", "a|b", "\t", "a\tb", "\x80\xff", "é", "a b  c",
	"%[x]", "%[env(PATH)]", "%", "%%", "%00", "%[", "%{+Q}o", "weights:2:x", "status:0:ok",
	", ", "a,b", "(", ")", "),map_str(x", `\n`, `\r\n`, `\x41`, `a\`, "/*", "*", "*.example.com", ".example.com", "a.*",
	"@gw_status", "10s", "unix:/x", "<%", "{{.}}", "0", "-", "::", "[a-z]", "(?<x>a)", "(?P<host>a)", "~x#y", "999999", "999999;x",
	"a/b", "x=",
}

// Values are what may stand in a header, without blanks around, up to the longest value that the limits allow.
func Values(longest int) []string {
	var all []string
	for _, h := range Hostile {
		if h == strings.TrimSpace(h) && h != "" {
			all = append(all, h)
		}
	}
	for _, n := range []int{100, 255, 256, 257, 1000, 2000} {
		for _, c := range []string{"a", "$", `\`, `"`, "%", "'"} {
			all = append(all, strings.Repeat(c, n))
		}
	}
	return append(all, strings.Repeat("b", longest))
}

// Seed gives a fuzz target the hostile texts.
func Seed(f *testing.F) {
	for _, h := range Hostile {
		f.Add(h)
	}
}
