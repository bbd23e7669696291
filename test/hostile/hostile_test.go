package hostile

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"runtime/debug"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/gatewright/gatewright/controller/resources"
	"github.com/gatewright/gatewright/controller/status"
	"github.com/gatewright/gatewright/controller/translate"
	"github.com/gatewright/gatewright/generators"
	"github.com/gatewright/gatewright/test/harness"
)

var (
	seeds  = flag.Uint64("hostile.seeds", 60, "how many seeds to try")
	first  = flag.Uint64("hostile.first", 1, "the first seed")
	all    = flag.Bool("hostile.every-version", false, "show each seed to every version, not to one of each proxy in turn")
	shrunk = flag.Bool("hostile.shrink", true, "make the manifests of the first failure smaller")
)

// batch is how many seeds one test is for.
const batch = 20

func TestHostile(t *testing.T) {
	pairs := keyPairs(t)
	proxies := harness.Proxies(t)
	for from := *first; from < *first+*seeds; from += batch {
		t.Run(fmt.Sprintf("from %d", from), func(t *testing.T) {
			t.Parallel()
			r := runner{dir: harness.TempDir(t), reader: resources.NewReader()}
			for seed := from; seed < min(from+batch, *first+*seeds); seed++ {
				r.proxies = proxies
				if !*all {
					r.proxies = harness.InTurn(proxies, int(seed))
				}
				list := objects(seed, pairs)
				if f := r.run(list); f != nil {
					if *shrunk {
						list, f = r.shrink(list, f)
					}
					t.Fatalf("seed %d: %s: %s\n%s", seed, f.what, f.text, manifests(list))
				}
			}
			if r.refused*10 > r.loaded {
				t.Errorf("the CRDs refuse %d of %d objects: the generator doesn't know them any more; the last: %s", r.refused, r.loaded, r.last)
			}
		})
	}
}

// failure is what went wrong: the same failure has the same what.
type failure struct{ what, text string }

// content is what each kind of proxy may say about files that are all right.
var content = map[string]*regexp.Regexp{
	// nginx builds this hash all the same, and no directive sizes it: many header changes in one location fill it.
	"nginx":   regexp.MustCompile(`.* could not build optimal grpc_headers_hash, .*`),
	"haproxy": regexp.MustCompile(`Configuration file is valid`),
}

// runner takes objects through the pipeline.
type runner struct {
	proxies []harness.Proxy
	dir     string
	// reader keeps the CRDs' schemas from one load to the next.
	reader *resources.Reader
	// loaded and refused count the objects that the CRDs took and didn't; last is the reason of the last one.
	loaded, refused int
	last            string
}

// run returns what goes wrong with the objects, or nil.
func (r *runner) run(list []object) (failed *failure) {
	snapshot, err := r.load(list)
	if err != nil {
		return &failure{"load", err.Error()}
	}
	for _, p := range r.proxies {
		if f := r.runProxy(p, snapshot); f != nil {
			return f
		}
	}
	return nil
}

// runProxy does what has to be done for each kind and version of proxy.
func (r *runner) runProxy(p harness.Proxy, s *resources.Snapshot) (failed *failure) {
	defer func() {
		if v := recover(); v != nil {
			failed = &failure{"panic", fmt.Sprintf("%v\n%s", v, debug.Stack())}
		}
	}()
	result := translate.Translate(s, p.Capabilities, translate.Options{})
	if f := checkStatuses(s, result); f != nil {
		return f
	}
	// With a marker there is something to listen on even when no listener is served.
	o := generators.Options{Marker: filepath.Join(r.dir, "marker")}
	files, err := p.Generator(o).Render(result.Gateways, p.Capabilities)
	if err != nil {
		return &failure{"render " + p.Name, err.Error()}
	}
	turned := shuffled(s)
	again := translate.Translate(turned, p.Capabilities, translate.Options{})
	filesAgain, err := p.Generator(o).Render(again.Gateways, p.Capabilities)
	if err != nil || !reflect.DeepEqual(files, filesAgain) {
		return &failure{"order of the files", fmt.Sprintf("they depend on the order of the objects (%v)", err)}
	}
	if a, b := reports(result), reports(again); a != b {
		return &failure{"order of the statuses", "they depend on the order of the objects"}
	}
	return r.ask(p, files)
}

// ask lets the proxy look at its files. It has to take them, and say nothing at all.
func (r *runner) ask(p harness.Proxy, files []generators.File) *failure {
	dir, err := os.MkdirTemp(r.dir, "out")
	if err != nil {
		return &failure{"write", err.Error()}
	}
	defer os.RemoveAll(dir)
	for _, f := range files {
		path := filepath.Join(dir, f.Path)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, f.Data, 0o600)); err != nil {
			return &failure{"write", err.Error()}
		}
	}
	out, err := exec.Command(p.Binary, p.Check(dir)...).CombinedOutput()
	if err == nil && strings.TrimSpace(content[p.Name].ReplaceAllString(string(out), "")) == "" {
		return nil
	}
	said := strings.ReplaceAll(string(out), dir, "DIR")
	return &failure{p.String() + " refuses", fmt.Sprintf("%.2000s\n%v", said, err)}
}

func reports(r translate.Result) string {
	text, err := status.Marshal(r.Reports())
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// load takes objects through the loader, without those that the CRDs refuse.
func (r *runner) load(list []object) (*resources.Snapshot, error) {
	for {
		var text bytes.Buffer
		for _, o := range list {
			data, err := json.Marshal(o)
			if err != nil {
				return nil, err
			}
			text.Write(append(data, '\n'))
		}
		snapshot, _, err := r.reader.Load([]string{"-"}, &text)
		var problems resources.Problems
		if !errors.As(err, &problems) {
			if err != nil {
				return nil, err
			}
			r.loaded += len(list)
			snapshot, _ = resources.Complete(snapshot, resources.Completion{Controller: translate.DefaultController,
				Backends: string(translate.BackendsEndpoints)})
			return snapshot, nil
		}
		bad := map[int]bool{}
		for _, p := range problems {
			bad[p.Document-1] = true
			r.last = fmt.Sprintf("%.300s", p)
		}
		if bad[-1] || len(bad) == 0 {
			return nil, err
		}
		var kept []object
		for i, o := range list {
			if !bad[i] {
				kept = append(kept, o)
			}
		}
		r.refused += len(list) - len(kept)
		r.loaded += len(list) - len(kept)
		list = kept
		if len(list) == 0 {
			return &resources.Snapshot{}, nil
		}
	}
}

// shuffled is the snapshot with every list in another order.
func shuffled(s *resources.Snapshot) *resources.Snapshot {
	c := *s
	v := reflect.ValueOf(&c).Elem()
	r := rand.New(rand.NewPCG(7, 7))
	for i := range v.NumField() {
		list := v.Field(i)
		copied := reflect.MakeSlice(list.Type(), list.Len(), list.Len())
		reflect.Copy(copied, list)
		r.Shuffle(copied.Len(), reflect.Swapper(copied.Interface()))
		list.Set(copied)
	}
	return &c
}

// manifests are objects as YAML, with long texts left long: they may be the reason.
func manifests(list []object) string {
	var texts []string
	for _, o := range list {
		text, err := yaml.Marshal(o)
		if err != nil {
			// YAML has no control characters; JSON is YAML too.
			if text, err = json.Marshal(o); err != nil {
				return err.Error()
			}
		}
		texts = append(texts, strings.TrimSpace(string(text))+"\n")
	}
	return strings.Join(texts, "---\n")
}
