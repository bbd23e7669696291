package exchange

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gatewright/gatewright/generators"
	"github.com/gatewright/gatewright/generators/model"
)

// Answer is what a program writes to its standard output.
type Answer struct {
	APIVersion string `json:"apiVersion"`
	Kind       Kind   `json:"kind"`
	// Capabilities answer a request for them.
	Capabilities *model.Capabilities `json:"capabilities,omitempty"`
	// Files are all of the folder's.
	Files []File `json:"files,omitempty"`
	// Refused are the parts that can't be written. They are left out with the message in status, and the program is asked again
	// for the rest: Files don't count then.
	Refused []Refused `json:"refused,omitempty"`
	// Error says that there are no files for a reason that is about no rule or cluster. Where less of the model can be written,
	// gatewright finds out what to leave out.
	Error string `json:"error,omitempty"`
}

// File is one file; it has a text or base64.
type File struct {
	// Path is relative to the output folder, with slashes.
	Path   string  `json:"path"`
	Text   *string `json:"text,omitempty"`
	Base64 []byte  `json:"base64,omitempty"`
	// Secret files may be read by their owner alone.
	Secret bool `json:"secret,omitempty"`
}

// Refused is one rule or one cluster.
type Refused struct {
	// Rule is the source of a rule as the model has it; kind, namespace, name and rule count.
	Rule *model.Source `json:"rule,omitempty"`
	// Cluster is the name of a cluster.
	Cluster string `json:"cluster,omitempty"`
	// Message says what is wrong and what to do, for the owner of the route.
	Message string `json:"message"`
}

// decode reads an answer of a kind. Fields that nobody knows are mistakes.
func decode(data []byte, kind Kind) (a Answer, err error) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err = d.Decode(&a); err != nil {
		return a, fmt.Errorf("its answer is not the JSON that it should be: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return a, errors.New("its answer goes on after the JSON: write one object to stdout, and all else to stderr")
	}
	switch {
	case a.APIVersion != APIVersion:
		return a, fmt.Errorf("its answer has apiVersion %q: it must be %q", a.APIVersion, APIVersion)
	case a.Kind != kind:
		return a, fmt.Errorf("its answer has kind %q: it must be %q, as the request's", a.Kind, kind)
	case a.Error != "":
		return a, errors.New(a.Error)
	}
	return a, nil
}

// Capabilities reads the answer to Ask.
func Capabilities(data []byte) (c model.Capabilities, err error) {
	a, err := decode(data, KindCapabilities)
	switch {
	case err != nil:
		return c, err
	case a.Capabilities == nil || a.Capabilities.Proxy == "":
		return c, errors.New("its answer has no capabilities.proxy: it must be the proxy's name")
	case len(a.Files) > 0 || len(a.Refused) > 0:
		return c, errors.New("its answer has files or refused parts, and it was asked for capabilities")
	}
	for f := range a.Capabilities.Missing {
		if !slices.Contains(model.Features, f) && f != model.FeatureBridge && f != model.FeatureHealth {
			return c, fmt.Errorf("its answer has capabilities.missing[%q]: there is no such feature", f)
		}
	}
	return *a.Capabilities, nil
}

// Files reads the answer to the request for a model's files: generators.Refusals are its error when it refuses parts. Paths that
// are reserved are gatewright's own.
func Files(data []byte, m model.Gateways, reserved ...string) ([]generators.File, error) {
	a, err := decode(data, KindRender)
	if err != nil {
		return nil, err
	}
	if a.Capabilities != nil {
		return nil, errors.New("its answer has capabilities, and it was asked for files")
	}
	if len(a.Refused) > 0 {
		return nil, refusals(a.Refused, m)
	}
	if len(a.Files) == 0 {
		return nil, errors.New("its answer has no files, no refused parts and no error: it must have one of them")
	}
	var files []generators.File
	for i, f := range a.Files {
		if err := checkPath(f.Path, reserved); err != nil {
			return nil, fmt.Errorf("files[%d].path %q: %w", i, f.Path, err)
		}
		data := f.Base64
		switch {
		case (f.Text == nil) == (f.Base64 == nil):
			return nil, fmt.Errorf("files[%d] (%s): it must have text or base64, one of them", i, f.Path)
		case f.Text != nil:
			data = []byte(*f.Text)
		}
		files = append(files, generators.File{Path: f.Path, Data: data, Secret: f.Secret})
	}
	generators.Sort(files)
	for _, f := range files {
		for dir := path.Dir(f.Path); dir != "."; dir = path.Dir(dir) {
			if slices.ContainsFunc(files, func(other generators.File) bool { return other.Path == dir }) {
				return nil, fmt.Errorf("its answer has %s as a file and as the folder of %s", dir, f.Path)
			}
		}
	}
	for i := 1; i < len(files); i++ {
		if files[i].Path == files[i-1].Path {
			return nil, fmt.Errorf("its answer has the file %s twice", files[i].Path)
		}
	}
	return files, nil
}

// checkPath keeps files in the folder (R44).
func checkPath(p string, reserved []string) error {
	first, _, _ := strings.Cut(p, "/")
	switch {
	case !filepath.IsLocal(p) || path.Clean(p) != p || p == "." || strings.ContainsAny(p, "\\\x00\n"):
		return errors.New("it must be a path within the folder, such as conf.d/routes.yaml")
	case slices.Contains(reserved, first), strings.HasPrefix(first, ".gatewright"):
		return errors.New("gatewright writes that itself: take another name")
	}
	return nil
}

// refusals finds the parts in the model.
func refusals(list []Refused, m model.Gateways) error {
	rules, clusters := map[model.Source]*model.Source{}, map[string]bool{}
	key := func(s *model.Source) model.Source {
		return model.Source{Kind: s.Kind, Namespace: s.Namespace, Name: s.Name, Rule: s.Rule}
	}
	eachListener(m, func(_ string, l *model.Listener) {
		for _, s := range l.Scopes {
			for _, r := range s.Rules {
				rules[key(&r.Source)] = &r.Source
			}
		}
	})
	for i := range m.Clusters {
		clusters[m.Clusters[i].Name] = true
	}
	var out generators.Refusals
	for i, r := range list {
		switch {
		case strings.TrimSpace(r.Message) == "":
			return fmt.Errorf("refused[%d] has no message: it must say what is wrong", i)
		case (r.Rule == nil) == (r.Cluster == ""):
			return fmt.Errorf("refused[%d]: it must have a rule or a cluster, one of them", i)
		case r.Rule == nil && !clusters[r.Cluster]:
			return fmt.Errorf("refused[%d]: the model has no cluster %q", i, r.Cluster)
		case r.Rule == nil:
			out.Cluster(r.Cluster, errors.New(r.Message))
		case rules[key(r.Rule)] == nil:
			return fmt.Errorf("refused[%d]: the model has no %s", i, r.Rule)
		default:
			out.Rule(rules[key(r.Rule)], errors.New(r.Message))
		}
	}
	return out
}
