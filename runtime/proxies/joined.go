package proxies

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/gatewright/gatewright/generators"
	"github.com/gatewright/gatewright/runtime/apply"
	haproxyrunner "github.com/gatewright/gatewright/runtime/haproxy"
	nginxrunner "github.com/gatewright/gatewright/runtime/nginx"
)

// Joined is a running proxy for configurations of any origin. What gatewright rendered with this state folder
// tells its generation itself; of all others the hash of the files is the generation, and new workers are the proof
// that they are served.
type Joined struct {
	validating
	// Hooks has the proxy's pace only: all others look at the model, and there is none.
	Hooks apply.Hooks

	marker, config string
}

// validating is a proxy that was joined, with a check for a main file of any name.
type validating interface {
	apply.Proxy
	ValidateFile(ctx context.Context, file string) error
}

// Join joins a running proxy that was started with the file config in o.Current. Without o.Attach it is looked for.
func (k *Kind) Join(o Options, config string) (*Joined, error) {
	proxy, hooks, err := k.join(o, filepath.Join(o.Current, config))
	if err != nil {
		return nil, err
	}
	return &Joined{validating: proxy, Hooks: apply.Hooks{Pace: hooks.Pace}, marker: o.Marker, config: config}, nil
}

func joinNginx(o Options, config string) (validating, apply.Hooks, error) {
	nginx, err := nginxrunner.New(nginxrunner.Options{Binary: o.Binary, Prefix: o.State, Config: config, Marker: o.Marker,
		Join: o.Attach, Find: o.Attach == "", Timeout: o.Timeout, Log: o.Log})
	if err != nil {
		return nil, apply.Hooks{}, err
	}
	return nginx, nginx.Hooks(), nil
}

func joinHAProxy(o Options, config string) (validating, apply.Hooks, error) {
	haproxy, err := haproxyrunner.New(haproxyrunner.Options{Binary: o.Binary, State: o.State, Config: config, Marker: o.Marker,
		Join: o.Attach, Find: o.Attach == "", Timeout: o.Timeout, Log: o.Log})
	if err != nil {
		return nil, apply.Hooks{}, err
	}
	return haproxy, haproxy.Hooks(), nil
}

// foreign begins the generations of configurations without a marker.
const foreign = "files-"

// Generation is the marker's, or a hash.
func (j *Joined) Generation(files []generators.File) (string, error) {
	h := sha256.New()
	marked := false
	for _, f := range files {
		fmt.Fprintf(h, "%q %d\n", f.Path, len(f.Data))
		if f.Access != nil {
			fmt.Fprintf(h, "%o %d\n", f.Access.Mode, f.Access.Group)
		}
		h.Write(f.Data)
		marked = marked || strings.Contains(string(f.Data), j.marker)
	}
	if generation, err := j.validating.Generation(files); marked && err == nil {
		return generation, nil
	}
	return foreign + hex.EncodeToString(h.Sum(nil)), nil
}

// Validate checks the main file, whatever its name.
func (j *Joined) Validate(ctx context.Context, dir string) error {
	return j.ValidateFile(ctx, filepath.Join(dir, j.config))
}

// Reload proves it by the marker where there is one.
func (j *Joined) Reload(ctx context.Context, dir, generation string) error {
	if strings.HasPrefix(generation, foreign) {
		generation = ""
	}
	return j.validating.Reload(ctx, dir, generation)
}
