package controller

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	gatewayv1beta1 "sigs.k8s.io/gateway-api/apis/v1beta1"

	"github.com/gatewright/gatewright/controller/policy"
	"github.com/gatewright/gatewright/controller/status"
	"github.com/gatewright/gatewright/controller/translate"
	"github.com/gatewright/gatewright/generators/model"
)

// Controller follows a cluster.
type Controller struct {
	Options
	manager manager.Manager
	outages *outages
	// watches are the newest ones. There are others after every outage.
	watches    atomic.Pointer[watches]
	secrets    *secrets
	configMaps *configMaps
	guard      *guard
	writer     *writer
	// translator is used by Next alone.
	translator translate.Translator
	// hold is why Next gave nothing the last time, so that it is logged once.
	hold atomic.Pointer[string]
	// asked says that another try is on its way, after pauses that grow.
	asked  atomic.Bool
	pauses pauses
	// served says that Next has given something.
	served bool
}

// New prepares a controller. It asks the API server nothing yet, which may be down. Its metrics go to the registry. What
// the libraries below it log of themselves goes where the process sends it, by klog.SetLogger and controller-runtime's.
func New(o Options, registry prometheus.Registerer) (*Controller, error) {
	if o.ControllerName == "" {
		o.ControllerName = translate.DefaultController
	}
	scheme := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), gatewayv1.Install(scheme), gatewayv1beta1.Install(scheme),
		policy.AddToScheme(scheme)); err != nil {
		return nil, err
	}
	config := rest.CopyConfig(o.Config)
	// The API server shares its time out by itself.
	config.QPS = -1
	c := &Controller{Options: o, outages: newOutages(), secrets: newSecrets(o.Log, o.Changed),
		configMaps: newConfigMaps(o.Log, o.Changed), guard: newGuard(), pauses: pauses{first: again, last: 5 * again}}
	if o.Remembered != nil {
		if err := c.guard.recall(o.Remembered); err != nil {
			o.Log.Warn("a cluster that was replaced meanwhile won't be noticed", "error", err)
		}
	}
	config.Wrap(c.outages.wrap)
	var err error
	c.manager, err = ctrl.NewManager(config, manager.Options{
		Scheme: scheme, Logger: logr.FromSlogHandler(o.Log.Handler()), Metrics: server.Options{BindAddress: "0"}, HealthProbeBindAddress: "0",
	})
	if err != nil {
		return nil, fmt.Errorf("the cluster's client: %w", err)
	}
	first, err := newWatches(c, errNotAsked)
	if err != nil {
		return nil, fmt.Errorf("the cluster's client: %w", err)
	}
	c.watches.Store(first)
	c.writer = newWriter(c, registry)
	return c, nil
}

// Run watches the cluster and writes statuses until ctx ends.
func (c *Controller) Run(ctx context.Context) error {
	var tasks sync.WaitGroup
	defer tasks.Wait()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	tasks.Go(func() { c.follow(ctx) })
	tasks.Go(func() { c.elect(ctx) })
	if c.Remember != nil {
		tasks.Go(func() { c.remember(ctx) })
	}
	return c.manager.Start(ctx)
}

// again is when Next is worth another try although nothing has changed, at first.
const again = time.Second

// startPatience is how long a start waits for Secrets and ConfigMaps that can't be read: what ran before this may serve them.
const startPatience = 5 * time.Second

// Next takes a snapshot and works out what to serve. The error says why it is too early to say, in which case
// what is served should stay; Changed is called when it is worth another try.
func (c *Controller) Next(ctx context.Context, caps model.Capabilities) (translate.Result, error) {
	result, err := c.next(ctx, caps)
	if err == nil {
		if c.hold.Swap(nil) != nil {
			c.Log.Info("what the cluster has is served again")
		}
		c.pauses.reset()
		c.served = true
		return result, nil
	}
	text := err.Error()
	if before := c.hold.Swap(&text); before == nil || *before != text {
		c.Log.Warn("nothing new is served yet; what was served stays", "reason", text)
	}
	if c.asked.CompareAndSwap(false, true) {
		time.AfterFunc(c.pauses.take(), func() {
			c.asked.Store(false)
			c.Changed()
		})
	}
	return result, err
}

func (c *Controller) next(ctx context.Context, caps model.Capabilities) (translate.Result, error) {
	w := c.watches.Load()
	if err := w.ready(); err != nil {
		return translate.Result{}, err
	}
	snapshot, parts := w.world.snapshot()
	secrets := c.secrets.read(ctx, c.manager.GetAPIReader(), w.world, parts.secrets)
	configMaps := c.configMaps.read(ctx, c.manager.GetAPIReader(), w.world, parts.configMaps)
	if !c.served {
		if err := errors.Join(c.secrets.awaited(secrets), c.configMaps.awaited(configMaps)); err != nil {
			return translate.Result{}, err
		}
	}
	snapshot.Secrets, snapshot.UnreadableSecrets = secrets.objects, secrets.unreadable
	snapshot.ConfigMaps, snapshot.UnreadableConfigMaps = configMaps.objects, configMaps.unreadable
	result, err := c.translator.Try(snapshot, caps, translate.Options{
		Controller: c.ControllerName, Backends: c.Backends, ClusterDomain: c.ClusterDomain, CrossServing: c.CrossServing,
		Addresses: c.addresses(w.world), BundleVersion: w.world.bundleVersion(),
	})
	if err != nil {
		return translate.Result{}, err
	}
	err = c.guard.admit(w.identity, result.Gateways, func() (types.UID, error) { return identityOf(ctx, c.manager.GetAPIReader()) })
	if errors.Is(err, errOtherCluster) {
		c.outages.note()
	}
	return result, err
}

// Publish gives the statuses to write. It doesn't wait; the newest ones count.
func (c *Controller) Publish(reports []status.Report) { c.writer.publish(reports) }

// Accept takes what the cluster has for what is meant, even if it was replaced by another one.
func (c *Controller) Accept() { c.guard.forget() }

// Waiting says why nothing new is served; "" when nothing is in the way.
func (c *Controller) Waiting() string {
	if text := c.hold.Load(); text != nil {
		return *text
	}
	return ""
}

func (c *Controller) addresses(w *world) translate.Addresses {
	local := HostAddresses()
	switch {
	case c.PublishService != nil:
		return translate.Addresses{Published: &translate.Published{From: "Service " + c.PublishService.String(),
			Addresses: w.published(*c.PublishService)}, Local: local}
	case len(c.PublishAddresses) > 0:
		return translate.Addresses{Published: &translate.Published{From: "the published addresses", Addresses: c.PublishAddresses}, Local: local}
	}
	return translate.Addresses{Pool: c.Pool, Local: local}
}

// logger is the log with an object.
func (c *Controller) logger(kind string, key name) *slog.Logger {
	if key.Namespace == "" {
		return c.Log.With("object", kind+" "+key.Name)
	}
	return c.Log.With("object", kind+" "+key.String())
}
