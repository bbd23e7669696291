package main

import (
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"
)

// version is the release that this is; the linker sets it: -ldflags "-X main.version=v1.2.3". Without it the Go tool's notes tell.
var version string

// build is what is known of how a binary came to be.
type build struct {
	Version string `json:"version"`
	// Commit is that of the sources, Modified that they had changes beside it, Date when it was made; "" where the binary was built
	// from sources without Git.
	Commit   string `json:"commit,omitempty"`
	Modified bool   `json:"modified,omitempty"`
	Date     string `json:"date,omitempty"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

// thisBuild is the running binary's.
func thisBuild() build {
	info, _ := debug.ReadBuildInfo()
	return buildOf(version, info)
}

// buildOf reads the Go tool's notes, nil for none; linked is what the linker was told.
func buildOf(linked string, info *debug.BuildInfo) build {
	b := build{Version: linked, Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	if info != nil {
		for _, s := range info.Settings {
			switch s.Key {
			case "vcs.revision":
				b.Commit = s.Value
			case "vcs.modified":
				b.Modified = s.Value == "true"
			case "vcs.time":
				b.Date = s.Value
			}
		}
		if b.Version == "" {
			b.Version = info.Main.Version
		}
	}
	if b.Version == "" {
		b.Version = "(devel)"
	}
	return b
}

// String is one line.
func (b build) String() string {
	words := []string{b.Version}
	if b.Commit != "" && !strings.Contains(b.Version, b.Commit[:min(len(b.Commit), 12)]) {
		commit := "commit " + b.Commit
		if b.Modified {
			commit += ", changed"
		}
		words = append(words, "("+commit+")")
	}
	return strings.Join(append(words, b.Go, b.Platform), " ")
}

func newVersion() *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Say which gatewright this is, and what it was built from",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return printVersion(cmd.OutOrStdout(), thisBuild(), format)
		},
	}
	choice(cmd.Flags(), &format, "output", "o", []string{"text", "json"}, "how to print it")
	return cmd
}

func printVersion(w io.Writer, b build, format string) error {
	if format != "json" {
		_, err := fmt.Fprintln(w, "gatewright", b)
		return err
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(b)
}
