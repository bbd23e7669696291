package examples

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/gatewright/gatewright/test/harness"
)

// steps are the commands of both workflows, which have to be the same ones.
func steps(t *testing.T, dir string) []string {
	t.Helper()
	var github struct {
		Jobs map[string]struct {
			Steps []struct {
				Run string `json:"run"`
			} `json:"steps"`
		} `json:"jobs"`
	}
	var gitlab struct {
		Rendered struct {
			Script []string `json:"script"`
		} `json:"rendered"`
	}
	for name, into := range map[string]any{".github/workflows/gatewright.yaml": &github, ".gitlab-ci.yml": &gitlab} {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err = errors.Join(err, yaml.Unmarshal(text, into)); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	var out []string
	for _, s := range github.Jobs["rendered"].Steps {
		if s.Run != "" {
			out = append(out, s.Run)
		}
	}
	if len(out) == 0 || !slices.Equal(out, gitlab.Rendered.Script) {
		t.Fatalf("the workflows do other things: %q and %q", out, gitlab.Rendered.Script)
	}
	return out
}

// TestGitOps runs the hook and the workflows' commands in a repository: they pass after the hook, and a drift fails them with 3.
func TestGitOps(t *testing.T) {
	dir := harness.TempDir(t)
	if err := os.CopyFS(dir, os.DirFS(filepath.Join(folder, "gitops"))); err != nil {
		t.Fatal(err)
	}
	bin := t.TempDir()
	if err := os.Symlink(program, filepath.Join(bin, "gatewright")); err != nil {
		t.Fatal(err)
	}
	sh := func(command string, want int) {
		t.Helper()
		cmd := exec.Command("sh", "-ec", command)
		cmd.Dir, cmd.Env = dir, append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"))
		said, err := cmd.CombinedOutput()
		if got := cmd.ProcessState.ExitCode(); got != want {
			t.Fatalf("%s: exit code %d, want %d: %v\n%s", command, got, want, err, said)
		}
	}
	sh("git init -q . && sh ./pre-commit && git diff --cached --quiet -- manifests", 0)
	all := steps(t, dir)
	for _, step := range all {
		sh(step, 0)
	}
	manifest := filepath.Join(dir, "manifests", "shop.yaml")
	text, err := os.ReadFile(manifest)
	if err != nil {
		t.Fatal(err)
	}
	changed := bytes.Replace(text, []byte("weight: 9"), []byte("weight: 4"), 1)
	if err := os.WriteFile(manifest, changed, 0o600); err != nil || bytes.Equal(text, changed) {
		t.Fatalf("the canary's weight is to change: %v", err)
	}
	sh(all[len(all)-1], 3)
	sh("sh ./pre-commit && "+all[len(all)-1], 0)
	refused := append(changed, []byte("---\napiVersion: gateway.networking.k8s.io/v1\nkind: GRPCRoute\nmetadata: {name: lost, namespace: shop}\n"+
		"spec: {parentRefs: [{name: nobody}]}\n")...)
	if err := os.WriteFile(manifest, refused, 0o600); err != nil {
		t.Fatal(err)
	}
	sh("gatewright generate -f manifests -o rendered --proxy nginx --proxy-version 1.26.3", 2)
	sh(all[len(all)-1], 2)
}
