package resources

import (
	"os"
	"path/filepath"
	"testing"
)

// TestMistakes: what is in a folder and isn't a manifest says what it is, where, and what to do.
func TestMistakes(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"values.yaml": {"replicaCount: 1\n", `values.yaml document 1 line 1: no Kubernetes object, for it has neither apiVersion nor kind: ` +
			`it looks like a part of a Helm chart: give what "helm template" renders`},
		"kustomization.yaml": {"# ours\nresources: [a.yaml]\n", `kustomization.yaml document 1 line 1: no Kubernetes object, for it has neither ` +
			`apiVersion nor kind: it looks like a part of a kustomization: give what "kubectl kustomize" renders`},
		"ci.yaml": {"steps: []\n", "ci.yaml document 1 line 1: no Kubernetes object, for it has neither apiVersion nor kind: add them, or move " +
			"the file elsewhere, or name the manifests themselves with -f"},
		"service.yaml": {"kind: Service\nmetadata:\n  name: {{ .Release.Name }}\n", "service.yaml document 1 line 3: a template that isn't " +
			`rendered, for it has {{ }}: render it first, as with "helm template", and give what comes out`},
		"if.yaml": {"kind: Service\n{{- if .Values.on }}\nspec: {}\n{{- end }}\n", "if.yaml document 1 line 2: a template that isn't " +
			`rendered, for it has {{ }}: render it first, as with "helm template", and give what comes out`},
		"star.yaml": {"kind: Gateway\nspec:\n  hostname: *.example.com\n", "star.yaml document 1 line 3: not valid YAML: did not find expected " +
			"alphabetic or numeric character (a value that begins with * or & names something else in YAML: put it in quotes, such as " +
			`"*.example.com")`},
		"anchor.yaml": {"kind: Gateway\nspec:\n  hostname: *shop\n", "anchor.yaml document 1 line 1: not valid YAML: unknown anchor 'shop' " +
			"referenced (a value that begins with * or & names something else in YAML: put it in quotes, such as " + `"*.example.com")`},
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, _, err := Load([]string{dir}, nil)
		if err == nil || err.Error() != filepath.Join(dir, c.want) {
			t.Errorf("got  %v\nwant %s", err, filepath.Join(dir, c.want))
		}
	}
}
