package follow

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"

	"github.com/gatewright/gatewright/controller"
	"github.com/gatewright/gatewright/controller/outcome"
	"github.com/gatewright/gatewright/controller/status"
	"github.com/gatewright/gatewright/runtime/apply"
	"github.com/gatewright/gatewright/runtime/folder"
	"github.com/gatewright/gatewright/runtime/proxies"
	"github.com/gatewright/gatewright/runtime/serve"
)

// cluster is one that is followed, with its newest statuses.
type cluster struct {
	engine     *serve.Engine
	controller *controller.Controller
	dryRun     bool
	reports    atomic.Pointer[[]status.Report]
	refusals   refusals
}

// Cluster serves the Gateways of a cluster with an engine, and writes their statuses, until a signal ends it. The options
// needn't say where to log, what to call on a change and how to remember: the engine has these.
func Cluster(ctx context.Context, e *serve.Engine, o controller.Options, signals serve.Signals) (err error) {
	if !o.DryRun {
		memory := remember(e, &o)
		defer func() { err = errors.Join(err, memory.Close()) }()
	}
	o.Log, o.Changed = e.Log, e.Mark
	followed, err := controller.New(o, e.Registry)
	if err != nil {
		return err
	}
	c := &cluster{engine: e, controller: followed, dryRun: o.DryRun}
	e.Registry.MustRegister(&c.refusals)
	return e.Serve(ctx, serve.Input{
		Next: c.next, Follow: followed.Run, Status: c.statusText, Waiting: followed.Waiting,
		Reread: func() {
			followed.Accept()
			e.Mark()
		},
	}, signals)
}

// next takes a snapshot of the cluster and translates it, for the applier.
func (c *cluster) next(ctx context.Context) (apply.Job, bool) {
	result, err := c.controller.Next(ctx, c.engine.Capabilities)
	c.engine.Service.Read(err)
	if err != nil {
		return apply.Job{}, false
	}
	return apply.Job{Model: result.Gateways, Capabilities: c.engine.Capabilities, Report: func(out apply.Outcome) {
		if c.dryRun && out.Err == nil {
			out.Err = proxies.ErrDryRun
		} else {
			c.engine.Service.Applied(out)
		}
		c.engine.Publisher.Put(func() { c.publish(outcome.Complete(result.Reports(), result.Gateways, out)) })
	}}, true
}

// memoryFile is where a controller keeps in its state folder what it has to know after a restart.
const memoryFile = "cluster.json"

// remember lets a controller keep it there. Who called it closes what it returns.
func remember(e *serve.Engine, o *controller.Options) *folder.Keeper {
	path := filepath.Join(e.Dir(), memoryFile)
	memory := folder.NewKeeper(path, 0o644, folder.Told(e.Log, "what is served, and of which cluster, isn't remembered for the next start yet",
		"what is served, and of which cluster, is remembered again"))
	o.Remember = memory.Put
	var err error
	if o.Remembered, err = os.ReadFile(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		e.Log.Warn("a cluster that was replaced meanwhile won't be noticed", "error", err)
	}
	return memory
}

// publish gives the statuses to the cluster and to /status.
func (c *cluster) publish(reports []status.Report) {
	c.reports.Store(&reports)
	c.refusals.tell(c.engine.Log, reports)
	c.controller.Publish(reports)
}

// statusText is the newest statuses as the cluster gets them.
func (c *cluster) statusText() []byte {
	head := ""
	if why := c.controller.Waiting(); why != "" {
		head = "# Nothing new is served yet: " + strings.ReplaceAll(why, "\n", " ") + "\n"
	}
	reports := c.reports.Load()
	if reports == nil {
		return []byte(head + "[]\n")
	}
	text, err := status.Marshal(*reports)
	if err != nil {
		return []byte("# " + err.Error() + "\n")
	}
	return append([]byte(head), text...)
}
