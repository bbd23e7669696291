package haproxy

import (
	"fmt"
	"strings"
	"testing"
)

// TestSaid writes in pieces of every size what HAProxy says at a reload.
func TestSaid(t *testing.T) {
	const text = "[WARNING]  (1601) : Proxy spare:7 stopped (cumulated conns: FE: 0, BE: 0).\n" +
		"Proxy spare:7 stopped (cumulated conns: FE: 0, BE: 0).\n" +
		"[WARNING]  (1601) : Proxy web stopped (cumulated conns: FE: 3, BE: 0).\n" +
		"[ALERT]    (1601) : spare:7/e0: something to know\n"
	const want = "[WARNING]  (1601) : Proxy web stopped (cumulated conns: FE: 3, BE: 0).\n" +
		"[ALERT]    (1601) : spare:7/e0: something to know\n"
	for size := 1; size <= len(text); size++ {
		var got strings.Builder
		s := &said{out: &got}
		for at := 0; at < len(text); at += size {
			if _, err := fmt.Fprint(s, text[at:min(at+size, len(text))]); err != nil {
				t.Fatal(err)
			}
		}
		if got.String() != want {
			t.Fatalf("in pieces of %d: %q, want %q", size, got.String(), want)
		}
	}
}
