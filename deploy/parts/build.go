// Package parts makes what releases are made of: the binary, the licences and the bill of materials of what is linked, and tar files that
// are the same whenever they are made. It imports nothing of this module.
package parts

import (
	"debug/buildinfo"
	"fmt"
	"os"
	"os/exec"
	"time"
)

// Build builds the binary for Linux as `make build` does, and reads what the Go tool has noted in it. The working folder is the repository's.
func Build(arch, version, binary string) (*buildinfo.BuildInfo, error) {
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w -X main.version="+version, "-o", binary, "./cmd/gatewright")
	cmd.Env = append(os.Environ(), "GOOS=linux", "GOARCH="+arch, "CGO_ENABLED=0")
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("build for %s: %w", arch, err)
	}
	return buildinfo.ReadFile(binary)
}

// Setting is what the Go tool has noted in a binary under a key.
func Setting(info *buildinfo.BuildInfo, key string) string {
	for _, s := range info.Settings {
		if s.Key == key {
			return s.Value
		}
	}
	return ""
}

// Created is the time of the commit, so that two builds of it agree.
func Created(info *buildinfo.BuildInfo) time.Time {
	at, err := time.Parse(time.RFC3339, Setting(info, "vcs.time"))
	if err != nil {
		return time.Unix(0, 0).UTC() // It wasn't built from a commit.
	}
	return at.UTC()
}
