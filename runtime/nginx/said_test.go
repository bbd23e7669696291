package nginx

import (
	"fmt"
	"strings"
	"testing"
)

// TestComplaint: only what the master says for itself, at the start of a line, counts.
func TestComplaint(t *testing.T) {
	for line, want := range map[string]struct{ complaint, refusal bool }{
		`2026/11/30 03:25:06 [emerg] 12#12: unknown directive "x"`:                                            {true, true},
		"2026/11/30 03:25:06 [emerg] 12#12: still could not bind()":                                           {true, true},
		"2026/11/30 03:25:06 [emerg] 12#12: bind() to 0.0.0.0:80 failed (98: Address already in use)":         {true, false},
		"2026/11/30 03:25:06 [alert] 12#12: worker process 13 exited on signal 9":                             {true, false},
		"nginx: [emerg] host not found":                                                                       {true, false},
		"2026/11/30 03:25:06 [emerg] 13#13: a worker's":                                                       {false, true},
		`2026/11/30 03:25:06 [error] 13#13: *1 connect() failed, request: "POST /[emerg]/x HTTP/2.0"`:         {false, false},
		`2026/11/30 03:25:06 [error] 13#13: *1 x "2026/11/30 03:25:06 [emerg] 12#12: still could not bind()"`: {false, false},
		"[emerg]":                 {false, false},
		"x nginx: [emerg] forged": {false, false},
		" 2026/11/30 03:25:06 [emerg] 12#12: forged": {false, false},
	} {
		if got := complaint(12, line); got != want.complaint {
			t.Errorf("%s: a complaint: %v", line, got)
		}
		if got := refusal(line); got != want.refusal {
			t.Errorf("%s: a refusal: %v", line, got)
		}
	}
}

// TestIndented writes in pieces of every size what nginx says of a call with a newline in a value.
func TestIndented(t *testing.T) {
	const text = "2026/11/30 03:25:06 [error] 13#13: *1 a\nlevel=ERROR msg=forged\n2026/11/30 03:25:07 [warn] 13#13: *2 b\n"
	const want = "2026/11/30 03:25:06 [error] 13#13: *1 a\n    level=ERROR msg=forged\n2026/11/30 03:25:07 [warn] 13#13: *2 b\n"
	for size := 1; size <= len(text); size++ {
		var got strings.Builder
		w := &indented{out: &got}
		for at := 0; at < len(text); at += size {
			if _, err := fmt.Fprint(w, text[at:min(at+size, len(text))]); err != nil {
				t.Fatal(err)
			}
		}
		if got.String() != want {
			t.Fatalf("in pieces of %d: %q", size, got.String())
		}
	}
}
