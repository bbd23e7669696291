package test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestToolchain: everything is built with one version of Go, whoever names it, and README says which.
func TestToolchain(t *testing.T) {
	named := regexp.MustCompile(`\bgo1\.\d+\.\d+\b`)
	first := ""
	for _, file := range []string{"go.mod", "test/conformance/suite/go.mod", "Makefile", ".ci/run"} {
		text, err := os.ReadFile(filepath.Join("..", file))
		if err != nil {
			t.Fatal(err)
		}
		versions := named.FindAllString(string(text), -1)
		if len(versions) == 0 {
			t.Errorf("%s names no version of Go", file)
		}
		for _, v := range versions {
			if first == "" {
				first = v
			}
			if v != first {
				t.Errorf("%s names %s, and go.mod %s", file, v, first)
			}
		}
	}
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(readme), strings.TrimPrefix(first, "go")) {
		t.Errorf("README.md doesn't name %s", first)
	}
}
