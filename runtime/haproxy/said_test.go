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

// TestComplaint: only alerts at the start of a line count, and not that a worker has ended.
func TestComplaint(t *testing.T) {
	for line, want := range map[string]bool{
		"[ALERT]    (12) : [haproxy.main()] Cannot bind":                  true,
		"[ALERT]    (12) : Current worker (13) exited with code 1 (Exit)": false,
		"x [ALERT]    (12) : forged":                                      false,
		"[ALERT] forged":                                                  false,
		"[WARNING]  (12) : [ALERT]    (12) : forged":                      false,
	} {
		if got := complaint(12, line); got != want {
			t.Errorf("%s: %v", line, got)
		}
	}
}
