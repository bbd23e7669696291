package external

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gatewright/gatewright/generators"
	"github.com/gatewright/gatewright/generators/model"
)

const header = `{"apiVersion": "gatewright.io/generator/v1alpha1", "kind": "Render", `

// program is a generator that is a shell script.
func program(t *testing.T, script string) *Generator {
	t.Helper()
	path := filepath.Join(t.TempDir(), "generator")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+script+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	return &Generator{Context: context.Background(), Path: path, Reserved: []string{"status.yaml"}, timeout: 20 * time.Second, answer: 4096}
}

// says is a script that reads the request and answers.
func says(answer string) string { return "cat >/dev/null; cat <<'EOF'\n" + answer + "\nEOF" }

func TestFiles(t *testing.T) {
	g := program(t, says(header+`"files": [{"path": "b/c", "base64": "AP8="}, {"path": "a", "text": "", "secret": true}]}`))
	files, err := g.Render(model.Gateways{}, model.Capabilities{})
	if err != nil {
		t.Fatal(err)
	}
	if len(files) != 2 || files[0].Path != "a" || !files[0].Secret || len(files[0].Data) != 0 || files[1].Path != "b/c" ||
		string(files[1].Data) != "\x00\xff" || files[1].Secret {
		t.Errorf("got %+v", files)
	}
}

func TestRefused(t *testing.T) {
	rule := &model.Rule{Source: model.Source{Kind: model.GRPCRoute, Namespace: "ns", Name: "r", Rule: 1, Created: time.Unix(1, 0)}}
	m := model.Gateways{
		Gateways: []model.Gateway{{Listeners: []model.Listener{{Scopes: []model.Scope{{Rules: []*model.Rule{rule}}}}}}},
		Clusters: []model.Cluster{{Name: "ns/s:80"}},
	}
	g := program(t, says(header+`"refused": [{"rule": {"kind": "GRPCRoute", "namespace": "ns", "name": "r", "rule": 1}, "message": "no"},
		{"cluster": "ns/s:80", "message": "never"}]}`))
	_, err := g.Render(m, model.Capabilities{})
	var refused generators.Refusals
	if !errors.As(err, &refused) || len(refused) != 2 || refused[0].Rule != &rule.Source || refused[0].Err.Error() != "no" ||
		refused[1].Cluster != "ns/s:80" || refused[1].Err.Error() != "never" {
		t.Errorf("got %v", err)
	}
}

// TestMalformed: whatever is wrong with a program or its answer is an error that says so.
func TestMalformed(t *testing.T) {
	file := func(text string) string { return says(header + `"files": [` + text + `]}`) }
	for script, want := range map[string]string{
		says("hello"): "its answer is not the JSON that it should be",
		says(header + `"files": [{"path": "a", "text": ""}]} more`):          "its answer goes on after the JSON",
		says(`{"apiVersion": "v9", "kind": "Render"}`):                       `its answer has apiVersion "v9"`,
		says(strings.Replace(header, "Render", "Other", 1) + `"files": []}`): `its answer has kind "Other"`,
		says(header + `"flies": []}`):                                        `unknown field "flies"`,
		says(header + `"error": "no such thing"}`):                           "no such thing",
		says(header + `"refused": [{"cluster": "c", "message": "m"}]}`):      `the model has no cluster "c"`,
		says(header + `"refused": [{"message": "m"}]}`):                      "it must have a rule or a cluster",
		says(header + `"refused": [{"cluster": "c"}]}`):                      "refused[0] has no message",

		says(header + `"refused": [{"rule": {"kind": "GRPCRoute", "namespace": "n", "name": "r", "rule": 0}, "message": "m"}]}`): "" +
			"the model has no GRPCRoute n/r rule 0",

		file(``):                                                         "its answer has no files",
		file(`{"path": "../a", "text": ""}`):                             "it must be a path within the folder",
		file(`{"path": "/etc/a", "text": ""}`):                           "it must be a path within the folder",
		file(`{"path": "a/../b", "text": ""}`):                           "it must be a path within the folder",
		file(`{"path": "", "text": ""}`):                                 "it must be a path within the folder",
		file(`{"path": "status.yaml", "text": ""}`):                      "gatewright writes that itself",
		file(`{"path": ".gatewright", "text": ""}`):                      "gatewright writes that itself",
		file(`{"path": "a"}`):                                            "it must have text or base64",
		file(`{"path": "a", "text": "", "base64": "AA=="}`):              "it must have text or base64",
		file(`{"path": "a", "text": ""}, {"path": "a", "text": ""}`):     "its answer has the file a twice",
		file(`{"path": "a", "text": ""}, {"path": "a/b/c", "text": ""}`): "its answer has a as a file and as the folder of a/b/c",
		"cat >/dev/null; echo broken pipes >&2; exit 3":                  "exit status 3: it says: broken pipes",
		"cat >/dev/null; head -c 100000 /dev/zero":                       "its answer has more than 4096 bytes",
	} {
		_, err := program(t, script).Render(model.Gateways{}, model.Capabilities{})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s\ngot %v, want %q", script, err, want)
		}
	}
}

// TestHangs: a program that hangs is waited for once.
func TestHangs(t *testing.T) {
	g := program(t, "exec sleep 600")
	g.timeout = 50 * time.Millisecond
	_, err := g.Render(model.Gateways{}, model.Capabilities{})
	if err == nil || !strings.Contains(err.Error(), "it has not ended after 50ms") {
		t.Fatalf("got %v", err)
	}
	g.timeout = time.Hour
	if _, again := g.Render(model.Gateways{}, model.Capabilities{}); again != err {
		t.Errorf("got %v", again)
	}
}
