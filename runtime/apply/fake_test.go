package apply

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/gatewright/gatewright/generators"
	"github.com/gatewright/gatewright/generators/model"
)

// fake is a proxy that refuses what has the word "bad" in it, naming the first such line.
type fake struct {
	mu         sync.Mutex
	validated  int
	reloads    []string
	running    string
	failReload error
	broken     string // refuses everything with this message
}

func (f *fake) Generation(files []generators.File) (string, error) {
	h := sha256.New()
	for _, file := range files {
		fmt.Fprintf(h, "%s %d %s", file.Path, len(file.Data), file.Data)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

func (f *fake) Running(context.Context) (string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.running == "" {
		return "", errors.New("not running")
	}
	return f.running, nil
}

func (f *fake) Validate(_ context.Context, dir string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.validated++
	if f.broken != "" {
		return &Refusal{Message: f.broken}
	}
	paths, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		return err
	}
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for line := range strings.Lines(string(data)) {
			if strings.Contains(line, "bad") {
				return &Refusal{Message: path + ": " + strings.TrimSpace(line)}
			}
		}
	}
	return nil
}

func (f *fake) Reload(_ context.Context, dir, generation string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.failReload != nil {
		return f.failReload
	}
	target, err := os.Readlink(dir)
	if err != nil || filepath.Base(target) != generation {
		return fmt.Errorf("%s points to %q (%v), not to %s", dir, target, err, generation)
	}
	f.reloads = append(f.reloads, generation)
	f.running = generation
	return nil
}

// renderLines writes a line for everything in the model.
func renderLines(m model.Gateways, _ model.Capabilities) ([]generators.File, error) {
	var b strings.Builder
	for _, g := range m.Gateways {
		for _, l := range g.Listeners {
			fmt.Fprintf(&b, "listener %s %s\n", l.Name, l.Hostname)
			for _, s := range l.Scopes {
				for _, r := range s.Rules {
					text, err := json.Marshal(r)
					if err != nil {
						return nil, err
					}
					fmt.Fprintf(&b, "rule %s\n", text)
				}
			}
		}
	}
	for _, c := range m.Clusters {
		text, err := json.Marshal(c)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&b, "cluster %s\n", text)
	}
	files := []generators.File{{Path: "proxy.conf", Data: []byte(b.String())}}
	for _, p := range m.KeyPairs {
		files = append(files, generators.File{Path: p.Name + ".pem", Data: append([]byte(p.Name+" "), p.Key...), Secret: true})
	}
	generators.Sort(files)
	return files, nil
}

// sample is a model with many of everything.
func sample(listeners, rules int) model.Gateways {
	g := model.Gateway{Namespace: "ns", Name: "gw"}
	var m model.Gateways
	for i := range listeners {
		pair := fmt.Sprintf("pair%d", i)
		m.KeyPairs = append(m.KeyPairs, model.KeyPair{Name: pair, Key: []byte("key")})
		g.Listeners = append(g.Listeners, model.Listener{
			Name: fmt.Sprintf("l%d", i), Port: 443, Protocol: model.HTTPS, Hostname: fmt.Sprintf("h%d.test", i), KeyPairs: []string{pair},
		})
	}
	for i := range rules {
		cluster := fmt.Sprintf("c%d", i/2)
		if i%2 == 0 {
			m.Clusters = append(m.Clusters, model.Cluster{Name: cluster, Service: cluster})
		}
		l := &g.Listeners[i%listeners]
		if len(l.Scopes) == 0 {
			l.Scopes = []model.Scope{{}}
		}
		l.Scopes[0].Rules = append(l.Scopes[0].Rules, &model.Rule{
			Source:   model.Source{Kind: model.GRPCRoute, Namespace: "ns", Name: fmt.Sprintf("r%d", i)},
			Matches:  []model.Match{{Path: model.Path{Kind: model.ServicePath, Service: fmt.Sprintf("s%d", i)}}},
			Backends: []model.Backend{{Weight: 1, Cluster: cluster}},
		})
	}
	m.Gateways = []model.Gateway{g}
	return m
}

func newApplier(t *testing.T, proxy Proxy) *Applier {
	t.Helper()
	store, err := OpenStore(t.TempDir(), 3)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return New(Options{Proxy: proxy, Store: store, Render: renderLines, Log: slog.New(slog.DiscardHandler)})
}
