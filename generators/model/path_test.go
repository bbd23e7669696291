package model

import (
	"regexp"
	"testing"
)

var ordinaryPath = regexp.MustCompile(OrdinaryPath)

// FuzzOrdinaryPath holds that no ordinary path is ambiguous, whatever it is.
func FuzzOrdinaryPath(f *testing.F) {
	for _, path := range []string{"/", "/a", "/a/", "/a.b/~c_d-e/", "", "a", "//", "/.", "/a/..", "/a/.b", "/a\n", "/a%2Fb", "/a;b", "/é"} {
		f.Add(path)
	}
	f.Fuzz(func(t *testing.T, path string) {
		if ordinaryPath.MatchString(path) && Ambiguous(path) {
			t.Errorf("%q is ordinary and ambiguous", path)
		}
	})
}

func TestOrdinaryPath(t *testing.T) {
	for path, want := range map[string]bool{
		"/": true, "/a": true, "/A/b.c/": true, "/~a/_b/-c": true,
		"": false, "a": false, "/a//b": false, "/.a": false, "/a\n": false, "/a;b": false, "/%41": false,
	} {
		if got := ordinaryPath.MatchString(path); got != want {
			t.Errorf("%q: ordinary %t, want %t", path, got, want)
		}
	}
}
