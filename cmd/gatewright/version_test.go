package main

import (
	"encoding/json"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"
)

// TestBuildOf: what the linker was told comes first, then the module's version; the commit is told unless the version has it.
func TestBuildOf(t *testing.T) {
	git := []debug.BuildSetting{{Key: "vcs.revision", Value: "0123456789abcdef0123"}, {Key: "vcs.modified", Value: "true"}}
	for _, row := range []struct {
		linked string
		info   *debug.BuildInfo
		want   string
	}{
		{"v1.2.3", nil, "v1.2.3 go"},
		{"", nil, "(devel) go"},
		{"", &debug.BuildInfo{Main: debug.Module{Version: "v1.0.0"}}, "v1.0.0 go"},
		{"v1.2.3", &debug.BuildInfo{Main: debug.Module{Version: "v1.0.0"}, Settings: git}, "v1.2.3 (commit 0123456789abcdef0123, changed) go"},
		{"", &debug.BuildInfo{Main: debug.Module{Version: "v0.0.0-20260101000000-0123456789ab"}, Settings: git},
			"v0.0.0-20260101000000-0123456789ab go"},
	} {
		if got := buildOf(row.linked, row.info).String(); !strings.HasPrefix(got, row.want) {
			t.Errorf("%q, %+v: %s, want %s…", row.linked, row.info, got, row.want)
		}
	}
}

// TestVersion: a binary with a version by the linker tells it everywhere.
func TestVersion(t *testing.T) {
	program := filepath.Join(t.TempDir(), "gatewright")
	cmd := exec.Command("go", "build", "-ldflags=-s -w -X main.version=v9.8.7", "-o", program, ".")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, args := range [][]string{{"--version"}, {"version"}} {
		out, err := exec.Command(program, args...).CombinedOutput()
		if err != nil || !strings.HasPrefix(string(out), "gatewright v9.8.7 ") || !strings.Contains(string(out), " go1.") {
			t.Errorf("%v: %s, %v", args, out, err)
		}
	}
	out, err := exec.Command(program, "version", "-o", "json").Output()
	var b build
	if err := json.Unmarshal(out, &b); err != nil || b.Version != "v9.8.7" || b.Platform == "" || b.Go == "" {
		t.Errorf("%+v, %v, of %s", b, err, out)
	}
	if err != nil {
		t.Error(err)
	}
}
