package resources

import (
	"bytes"
	"path/filepath"
	"strings"
)

// unrendered says that a document is a template that nobody has rendered: where it isn't YAML, or not what it seems, that is why.
func (d document) unrendered(problems Problems) Problems {
	i := bytes.Index(d.data, []byte("{{"))
	if len(problems) == 0 || i < 0 || !bytes.Contains(d.data[i:], []byte("}}")) {
		return problems
	}
	line := d.line + bytes.Count(d.data[:i], []byte("\n"))
	return Problems{d.problem(line, "", `a template that isn't rendered, for it has {{ }}: render it first, as with "helm template", and `+
		"give what comes out")}
}

// syntaxHint says what a message of the YAML parser most often means in manifests.
func (d document) syntaxHint(text string) string {
	switch {
	case strings.Contains(text, "cannot start any token") && strings.Contains(string(d.data), "\t"):
		return " (a tab can't indent YAML: use spaces)"
	case strings.Contains(text, "did not find expected alphabetic or numeric character"), strings.Contains(text, "unknown anchor"):
		return ` (a value that begins with * or & names something else in YAML: put it in quotes, such as "*.example.com")`
	}
	return ""
}

// noObject says what a mapping is that has neither apiVersion nor kind, by the name of its file.
func noObject(file string) string {
	const what = "no Kubernetes object, for it has neither apiVersion nor kind: "
	switch name := strings.ToLower(filepath.Base(file)); {
	case strings.HasPrefix(name, "values") || strings.HasPrefix(name, "chart."):
		return what + `it looks like a part of a Helm chart: give what "helm template" renders`
	case strings.HasPrefix(name, "kustomization."):
		return what + `it looks like a part of a kustomization: give what "kubectl kustomize" renders`
	case strings.HasPrefix(name, "docker-compose") || strings.HasPrefix(name, "compose."):
		return what + "it looks like a file of Docker Compose: move it elsewhere, or name the manifests themselves with -f"
	}
	return what + "add them, or move the file elsewhere, or name the manifests themselves with -f"
}
