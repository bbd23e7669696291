package main

import (
	"bytes"
	"testing"
	"time"
)

// TestReadable: the log has no empty values, and durations that a person reads, as JSON too.
func TestReadable(t *testing.T) {
	for format, want := range map[string]string{
		"text": "level=INFO msg=applied took=1.235s short=12.346ms\n",
		"json": `"level":"INFO","msg":"applied","took":"1.235s","short":"12.346ms"}` + "\n",
	} {
		var out bytes.Buffer
		o := logOptions{format: format}
		o.logger(&out).Info("applied", "reason", "", "took", 1234567*time.Microsecond, "short", 12345678*time.Nanosecond)
		contains(t, format, out.String(), want)
		if bytes.Contains(out.Bytes(), []byte("reason")) {
			t.Errorf("%s: there is an empty value: %s", format, out.String())
		}
	}
}
