package parts

import (
	"debug/buildinfo"
	"encoding/json"
	"strings"
)

// Bill is the bill of materials, in CycloneDX's JSON.
func Bill(version string, info *buildinfo.BuildInfo) ([]byte, error) {
	type component struct {
		Type    string `json:"type"`
		Name    string `json:"name"`
		Version string `json:"version,omitempty"`
		PURL    string `json:"purl"`
	}
	module := func(kind, name, version string) component {
		purl := "pkg:golang/" + name
		if version != "" {
			purl += "@" + version
		}
		return component{Type: kind, Name: name, Version: version, PURL: purl}
	}
	bill := struct {
		Format     string      `json:"bomFormat"`
		Spec       string      `json:"specVersion"`
		Version    int         `json:"version"`
		Metadata   any         `json:"metadata"`
		Components []component `json:"components"`
	}{Format: "CycloneDX", Spec: "1.5", Version: 1, Metadata: map[string]any{"component": module("application", info.Main.Path, version)}}
	bill.Components = append(bill.Components, module("library", "std", strings.TrimPrefix(info.GoVersion, "go")))
	for _, m := range linked(info) {
		bill.Components = append(bill.Components, module("library", m.Path, m.Version))
	}
	return json.MarshalIndent(bill, "", " ")
}
