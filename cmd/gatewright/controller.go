package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"

	"github.com/go-logr/logr"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/uuid"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/gatewright/gatewright/controller"
	"github.com/gatewright/gatewright/controller/outcome"
	"github.com/gatewright/gatewright/controller/status"
	"github.com/gatewright/gatewright/controller/translate"
	"github.com/gatewright/gatewright/runtime/apply"
	"github.com/gatewright/gatewright/runtime/folder"
)

const controllerHelp = `Serve the Gateways of a cluster with a local proxy, and write their statuses.

The Gateways are those of the GatewayClasses whose controllerName is gatewright.io/gateway-controller; --gateway-class and
--gateway, which can be repeated, narrow them. The proxy runs as in "gatewright run": as a child, or joined with --attach.
Every replica serves; one of them, by a lease, writes the statuses. While the API server is away, what was served stays.

By default a Gateway binds its spec.addresses, or all addresses of the host. With --address-pool each Gateway gets an
address of its own to bind. With --publish-service or --publish-address all addresses of the host are bound, and the
statuses tell of those.

SIGTERM and SIGINT let the proxy finish its calls, for as long as --drain says; a second one ends it at once. SIGHUP serves
what the cluster has, even after its data was lost. SIGUSR1 is passed on.`

// controllerOptions are the flags of controller.
type controllerOptions struct {
	*options
	engineOptions

	kubeconfig, context string
	gateways            []string
	namespaces          []string
	pool                []string
	publishService      string
	publishAddresses    []string
	election            bool
	lease               string
	leaseNamespace      string
	dryRun              bool
}

func newController(log *logOptions) *cobra.Command {
	o := &controllerOptions{options: &options{logOptions: log}}
	cmd := &cobra.Command{
		Use:   "controller --state-dir DIR",
		Short: "Serve the Gateways of a cluster with a local proxy",
		Long:  controllerHelp,
		Example: `  gatewright controller --state-dir /run/gatewright --gateway shop/web --publish-service shop/web
  gatewright controller --state-dir /var/lib/gatewright --kubeconfig ~/.kube/config --address-pool 192.0.2.16/28`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd.Context(), cmd.ErrOrStderr()) },
	}
	f := cmd.Flags()
	proxyFlag(f, &o.proxy)
	binaryFlag(f, &o.proxyBinary)
	templatesFlag(f, &o.templates)
	stateFlag(f, &o.stateDir)
	backendsFlag(f, &o.backends)
	o.servingFlags(f)
	domainFlag(f, &o.clusterDomain)
	o.engineFlags(f)
	o.clusterFlags(f)
	return cmd
}

func (o *controllerOptions) clusterFlags(f *pflag.FlagSet) {
	f.StringVar(&o.kubeconfig, "kubeconfig", "", "`file` that says how to reach the cluster (default $KUBECONFIG, else the cluster that this runs in, else ~/.kube/config)")
	f.StringVar(&o.context, "context", "", "`name` of the context in it")
	classFlag(f, &o.gatewayClass)
	f.StringArrayVar(&o.gateways, "gateway", nil, gatewayFlag)
	f.StringSliceVar(&o.namespaces, "watch-namespaces", nil, "read only objects of these `namespaces` (default all)")
	f.StringSliceVar(&o.pool, "address-pool", nil, "`addresses` and networks of this host, of which each Gateway gets one of its own to bind: IP|CIDR,…")
	f.StringVar(&o.publishService, "publish-service", "", "tell the addresses of this Service, `NAMESPACE/NAME`, in statuses, and bind all of the host's")
	f.StringSliceVar(&o.publishAddresses, "publish-address", nil, "tell these `addresses`, IPs or hostnames, in statuses, and bind all of the host's")
	f.BoolVar(&o.election, "leader-election", true, "agree with other replicas on which of them writes statuses")
	f.StringVar(&o.lease, "leader-election-id", "", "`name` of the lease for that (default one for the classes, Gateways and namespaces that are served)")
	f.StringVar(&o.leaseNamespace, "leader-election-namespace", "", "`namespace` of the lease (default the pod's, else default)")
	f.BoolVar(&o.dryRun, "dry-run", false, "change nothing: configurations are rendered to --state-dir and checked by the proxy's binary, statuses are logged and checked by the API server")
}

func (o *controllerOptions) run(ctx context.Context, stderr io.Writer) (err error) {
	if o.stateDir == "" {
		return errors.New("no state folder: name it with --state-dir DIR")
	}
	co, err := o.controllerOptions()
	if err != nil {
		return err
	}
	g := &clusterGateway{}
	if g.engine, err = newEngine(ctx, o.options, &o.engineOptions, stderr, g.publish, g.statusText); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, g.forget(), g.close()) }()
	g.dryRun = o.dryRun
	if o.dryRun {
		g.dry()
	} else {
		g.remember(&co)
	}
	logLibraries(g.log)
	co.Log, co.Changed = g.log, g.applier.Mark
	if g.cluster, err = controller.New(co, g.registry); err != nil {
		return err
	}
	g.service.waiting = g.cluster.Waiting
	return g.serve(ctx, input{next: g.next, follow: g.cluster.Run, reread: func() {
		g.cluster.Accept()
		g.applier.Mark()
	}})
}

// logLibraries lets the libraries that follow the cluster write to the log, as they do for the whole process.
func logLibraries(log *slog.Logger) {
	l := logr.FromSlogHandler(log.Handler())
	ctrl.SetLogger(l)
	klog.SetLogger(l)
}

// controllerOptions checks the flags.
func (o *controllerOptions) controllerOptions() (controller.Options, error) {
	co := controller.Options{
		GatewayClass: o.gatewayClass, Namespaces: o.namespaces, Backends: translate.Backends(o.backends), ClusterDomain: string(o.clusterDomain),
		Alone: !o.election, DryRun: o.dryRun, LeaseName: o.lease, LeaseNamespace: o.leaseNamespace,
	}
	var err error
	for _, text := range o.gateways {
		n, err := namespacedName("--gateway", text)
		if err != nil {
			return co, err
		}
		co.Gateways = append(co.Gateways, n)
	}
	if co.Pool, err = controller.ParsePool(o.pool); err != nil {
		return co, fmt.Errorf("--address-pool: %w", err)
	}
	if co.PublishAddresses, err = controller.ParseAddresses(o.publishAddresses); err != nil {
		return co, fmt.Errorf("--publish-address: %w", err)
	}
	if o.publishService != "" {
		n, err := namespacedName("--publish-service", o.publishService)
		if err != nil {
			return co, err
		}
		co.PublishService = &n
	}
	ways := 0
	for _, given := range []bool{len(co.Pool) > 0, len(co.PublishAddresses) > 0, co.PublishService != nil} {
		if given {
			ways++
		}
	}
	if ways > 1 {
		return co, errors.New("--address-pool, --publish-service and --publish-address exclude each other")
	}
	if co.Config, err = o.config(&co); err != nil {
		return co, err
	}
	if co.LeaseName == "" {
		co.LeaseName = co.ScopeName()
	}
	host, err := os.Hostname()
	if err != nil {
		return co, err
	}
	// Two containers on one host may share its name, and each is process 1 of its own.
	co.Identity = fmt.Sprintf("%s_%d_%s", host, os.Getpid(), uuid.NewUUID())
	return co, nil
}

// inClusterNamespace is where a pod reads its own namespace.
const inClusterNamespace = "/var/run/secrets/kubernetes.io/serviceaccount/namespace"

// config finds the cluster as kubectl does, and the namespace of the lease.
func (o *controllerOptions) config(co *controller.Options) (*rest.Config, error) {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = o.kubeconfig
	client := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, &clientcmd.ConfigOverrides{CurrentContext: o.context})
	config, err := client.ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("the cluster isn't known: %w; name it with --kubeconfig FILE, and one of several in it with --context NAME", err)
	}
	config.UserAgent = "gatewright/" + strings.Fields(buildVersion() + " unknown")[0]
	if co.LeaseNamespace == "" {
		co.LeaseNamespace = "default"
		if text, err := os.ReadFile(inClusterNamespace); err == nil && len(text) > 0 {
			co.LeaseNamespace = strings.TrimSpace(string(text))
		}
	}
	return config, nil
}

func namespacedName(flag, text string) (types.NamespacedName, error) {
	namespace, name, ok := strings.Cut(text, "/")
	if !ok || namespace == "" || name == "" || strings.Contains(name, "/") {
		return types.NamespacedName{}, fmt.Errorf("%s %s: write it as NAMESPACE/NAME", flag, text)
	}
	return types.NamespacedName{Namespace: namespace, Name: name}, nil
}

// clusterGateway is a running `controller`.
type clusterGateway struct {
	*engine
	cluster *controller.Controller
	// memory keeps what the controller has to know after a restart; nil for nothing.
	memory *folder.Keeper
	dryRun bool
	// reports are the newest statuses.
	reports atomic.Pointer[[]status.Report]
}

// next takes a snapshot of the cluster and translates it, for the applier.
func (g *clusterGateway) next(ctx context.Context) (apply.Job, bool) {
	result, err := g.cluster.Next(ctx, g.caps)
	g.service.read(err)
	if err != nil {
		return apply.Job{}, false
	}
	return apply.Job{Model: result.Gateways, Capabilities: g.caps, Report: func(out apply.Outcome) {
		if g.dryRun && out.Err == nil {
			out.Err = errDryRun
		} else {
			g.service.applied(out)
		}
		g.publisher.put(func() []status.Report { return outcome.Complete(result.Reports(), result.Gateways, out) })
	}}, true
}

// memoryFile is where a controller keeps in its state folder what it has to know after a restart.
const memoryFile = "cluster.json"

// remember lets the controller keep it there.
func (g *clusterGateway) remember(o *controller.Options) {
	path := filepath.Join(g.store.Dir(), memoryFile)
	g.memory = folder.NewKeeper(path, 0o644, func(err error) {
		g.log.Error("what is served, and of which cluster, isn't remembered for the next start yet; it is tried again", "error", err)
	})
	o.Remember = g.memory.Put
	var err error
	if o.Remembered, err = os.ReadFile(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		g.log.Warn("a cluster that was replaced meanwhile won't be noticed", "error", err)
	}
}

// forget ends what remember began.
func (g *clusterGateway) forget() error {
	if g.memory == nil {
		return nil
	}
	return g.memory.Close()
}

// publish gives the statuses to the cluster and to /status.
func (g *clusterGateway) publish(reports []status.Report) {
	g.reports.Store(&reports)
	g.cluster.Publish(reports)
}

// statusText is the newest statuses as the cluster gets them.
func (g *clusterGateway) statusText() []byte {
	head := ""
	if why := g.cluster.Waiting(); why != "" {
		head = "# Nothing new is served yet: " + strings.ReplaceAll(why, "\n", " ") + "\n"
	}
	reports := g.reports.Load()
	if reports == nil {
		return []byte(head + "[]\n")
	}
	text, err := status.Marshal(*reports)
	if err != nil {
		return []byte("# " + err.Error() + "\n")
	}
	return append([]byte(head), text...)
}
