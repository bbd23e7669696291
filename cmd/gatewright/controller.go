package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"

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
	"github.com/gatewright/gatewright/controller/follow"
	"github.com/gatewright/gatewright/controller/translate"
	"github.com/gatewright/gatewright/runtime/proxies"
	"github.com/gatewright/gatewright/runtime/serve"
)

const controllerHelp = `Serve the Gateways of a cluster with a local proxy, and write their statuses.

The Gateways are those of the GatewayClasses whose controllerName is gatewright.io/gateway-controller; --gateway-class and
--gateway, which can be repeated, narrow them. The proxy runs as in "gatewright run": as a child, or joined with --attach, and a bridge
beside it as soon as a rule needs it.
Every replica serves; one of them, by a lease, writes the statuses. While the API server is away, what was served stays.

By default a Gateway binds its spec.addresses, or all addresses of the host. With --address-pool each Gateway gets an
address of its own to bind. With --publish-service or --publish-address all addresses of the host are bound, and the
statuses tell of those.

SIGTERM and SIGINT let the proxy finish its calls, for as long as --drain says; a second one ends it at once. SIGHUP serves
what the cluster has, even after its data was lost. SIGUSR1 is passed on. SIGUSR2 ends it and leaves the proxy and
the bridge serving, for the next run with this state folder to take over: calls go on while gatewright is restarted or replaced.`

// controllerOptions are the flags of controller.
type controllerOptions struct {
	*logOptions
	engine serve.Options

	kubeconfig, context string
	gatewayClass        string
	backends            translate.Backends
	clusterDomain       string
	crossServing        translate.CrossServing
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
	o := &controllerOptions{logOptions: log}
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
	engineFlags(f, &o.engine, proxies.AccessOff)
	o.clusterFlags(f)
	return cmd
}

func (o *controllerOptions) clusterFlags(f *pflag.FlagSet) {
	f.StringVar(&o.kubeconfig, "kubeconfig", "",
		"`file` that says how to reach the cluster (default $KUBECONFIG, else the cluster that this runs in, else ~/.kube/config)")
	f.StringVar(&o.context, "context", "", "`name` of the context in it")
	classFlag(f, &o.gatewayClass)
	backendsFlag(f, &o.backends)
	domainFlag(f, &o.clusterDomain)
	crossServingFlag(f, &o.crossServing)
	f.StringArrayVar(&o.gateways, "gateway", nil, gatewayFlag)
	f.StringSliceVar(&o.namespaces, "watch-namespaces", nil, "read only objects of these `namespaces` (default all)")
	f.StringSliceVar(&o.pool, "address-pool", nil,
		"`addresses` and networks of this host, of which each Gateway gets one of its own to bind: IP|CIDR,…")
	f.StringVar(&o.publishService, "publish-service", "",
		"tell the addresses of this Service, `NAMESPACE/NAME`, in statuses, and bind all of the host's")
	f.StringSliceVar(&o.publishAddresses, "publish-address", nil,
		"tell these `addresses`, IPs or hostnames, in statuses, and bind all of the host's")
	f.BoolVar(&o.election, "leader-election", true, "agree with other replicas on which of them writes statuses")
	f.StringVar(&o.lease, "leader-election-id", "",
		"`name` of the lease for that (default one for the classes, Gateways and namespaces that are served)")
	f.StringVar(&o.leaseNamespace, "leader-election-namespace", "", "`namespace` of the lease (default the pod's, else default)")
	f.BoolVar(&o.dryRun, "dry-run", false,
		"change nothing: configurations are rendered to --state-dir and checked by the proxy's binary, "+
			"statuses are logged and checked by the API server")
}

func (o *controllerOptions) run(ctx context.Context, stderr io.Writer) error {
	if o.engine.State.Dir == "" {
		return errNoState
	}
	co, err := o.checked()
	if err != nil {
		return err
	}
	o.engine.DryRun = o.dryRun
	log := o.logger(stderr)
	return withEngine(ctx, o.engine, log, stderr, func(e *serve.Engine) error {
		logLibraries(log)
		return follow.Cluster(ctx, e, co, serve.EngineSignals)
	})
}

// logLibraries lets the libraries that follow the cluster write to the log, as they do for the whole process.
func logLibraries(log *slog.Logger) {
	l := logr.FromSlogHandler(log.Handler())
	ctrl.SetLogger(l)
	klog.SetLogger(l)
}

// checked makes of the flags what a Controller works with.
func (o *controllerOptions) checked() (controller.Options, error) {
	co := controller.Options{
		GatewayClass: o.gatewayClass, Namespaces: o.namespaces, Backends: o.backends, ClusterDomain: o.clusterDomain,
		CrossServing: o.crossServing,
		Alone:        !o.election, DryRun: o.dryRun, LeaseName: o.lease, LeaseNamespace: o.leaseNamespace,
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
	config.UserAgent = "gatewright/" + strings.Fields(thisBuild().Version)[0]
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
