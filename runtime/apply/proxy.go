package apply

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"time"

	"github.com/gatewright/gatewright/generators"
	"github.com/gatewright/gatewright/generators/model"
)

// Proxy is one running proxy, or one that is to run.
type Proxy interface {
	// Generation says what the running configuration will answer once these files are served. The error means
	// that no file tells it: a template was overridden and left it out.
	Generation(files []generators.File) (string, error)
	// Running asks the running proxy which generation it answers with. The error says that it doesn't answer.
	Running(ctx context.Context) (generation string, err error)
	// Validate lets the proxy check the configuration in a folder. A *Refusal means that the proxy said no; any
	// other error, that it couldn't be asked.
	Validate(ctx context.Context, dir string) error
	// Reload makes the proxy serve the folder, starting it when it should run and doesn't. nil means that this
	// generation is answering; an error, that it isn't, and that the old one may still be.
	Reload(ctx context.Context, dir, generation string) error
}

// Refusal is the error of a configuration that the proxy itself refuses.
type Refusal struct {
	// Message is the proxy's own.
	Message string
}

func (r *Refusal) Error() string { return r.Message }

// Check runs a proxy's own check of a configuration. What it prints where it says no becomes the message of a *Refusal; any
// other error says that it couldn't be asked.
func Check(ctx context.Context, cmd *exec.Cmd, message func(out string) string) error {
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.As(err, &exit) && exit.Exited():
		return &Refusal{Message: message(string(out))}
	}
	return fmt.Errorf("%s %s: %w", cmd.Path, cmd.Args[1], err)
}

// Configuration is all that a proxy serves at one time.
type Configuration struct {
	Model model.Gateways
	Files []generators.File
	// Generation is what the files tell when the proxy starts from them or reloads.
	Generation string
}

// Hooks are what some proxies can do and others can't. Each may be nil, for a proxy that can't. They are named where a
// proxy is made, so that one that wraps another says which of them it passes on.
type Hooks struct {
	// Update changes the running proxy from one configuration to another without a reload. It works out for itself what
	// differs; Reload is called when it says that it can't, and makes everything that it did before moot. old is what the
	// proxy serves now: it was confirmed, by Reload or by Update. The files of next are not on disk yet; when Update has
	// applied them they are written, checked and switched to, so that a restart serves the same. An error means that it
	// isn't known what the proxy serves: a reload follows.
	Update func(ctx context.Context, old, next Configuration) (Update, error)
	// Beside is told each configuration before the proxy is, for what stands beside the proxy and has to know it first.
	Beside func(ctx context.Context, next Configuration)
	// Prepare is called before each Reload, for a proxy that has to know what isn't in the files, such as endpoints that it
	// is told in another way. What is served until then must go on working.
	Prepare func(next Configuration)
	// Step returns what to serve first of next, and whether that is needed, for a proxy that has to learn a part of a
	// configuration while it serves it already, and takes another reload once it has. All calls get the same answers by
	// first as by next.
	Step func(old, next model.Gateways) (first model.Gateways, needed bool)
	// Pace is how long the next reload should wait, 0 for not at all, for a proxy whose reloads cost more the closer they
	// follow each other. It is told what the proxy serves, by what it can do. It is asked again after that time, and meanwhile
	// a newer snapshot takes the place of the one that waits.
	Pace func(live Configuration, c model.Capabilities) time.Duration
	// Sockets asks the system where the proxy listens. With an error all but Bound and Listening is right.
	Sockets func() (Sockets, error)
}

// Update is what became of an attempt to change a running proxy without a reload.
type Update struct {
	// Applied says that all calls are answered by the new configuration from now on. When it is false, nothing
	// was changed, and a reload is needed.
	Applied bool
	// Reason says in a few words why a reload is needed ("a new listener: ns/gw web"), or what was done instead
	// ("3 servers, 1 map"). It is logged.
	Reason string
	// Cause is Reason's kind, for metrics: one of a few fixed words in lower case such as "endpoints", "routes",
	// "certificates", "listeners", "header-names", "filters".
	Cause string
}
