package main

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/gatewright/gatewright/controller/resources"
	"github.com/gatewright/gatewright/controller/translate"
	"github.com/gatewright/gatewright/generators"
	"github.com/gatewright/gatewright/generators/limits"
	"github.com/gatewright/gatewright/runtime/apply"
)

// options are the flags of one subcommand. A flag means the same wherever it occurs, but for -o: a folder for
// generate, a format for the others.
type options struct {
	*logOptions

	filenames    []string
	gatewayClass string
	backends     string
	// clusterDomain is the end of the Services' DNS names.
	clusterDomain domainName

	proxy        string
	proxyBinary  string
	proxyVersion string

	// reader remembers what it has read, for a subcommand that follows manifests while they change; nil for the
	// others.
	reader *resources.Reader
	// translator remembers what came of it, for the same.
	translator translate.Translator

	output    string
	stateDir  string
	templates string
	layout    string
	ipv6      string
	check     bool
	user      string
	group     string
	callOnce  bool
	instance  string
	// hostAddresses are those of the host that serves, where that is this one; nil where it isn't known.
	hostAddresses func() []netip.Addr

	maxStreams int
}

// logOptions are the flags that every subcommand has.
type logOptions struct {
	logFormat string
	verbose   bool
}

func (o *logOptions) flags(f *pflag.FlagSet) {
	choice(f, &o.logFormat, "log-format", "", "text", []string{"text", "json"}, "what is written to stderr: text for people, or one JSON object a line")
	f.BoolVarP(&o.verbose, "verbose", "v", false, "say more: everything that is refused, and how long each step took")
}

func (o *options) inputFlags(f *pflag.FlagSet) {
	f.StringArrayVarP(&o.filenames, "filename", "f", nil, "YAML `file` or folder with manifests, - for stdin; repeatable")
	classFlag(f, &o.gatewayClass)
	backendsFlag(f, &o.backends)
	domainFlag(f, &o.clusterDomain)
}

// classFlag names a class: one of manifests whatever its controllerName, one of a cluster only if it has ours.
func classFlag(f *pflag.FlagSet, value *string) {
	f.StringVar(value, "gateway-class", "", "serve only Gateways of the class with this `name`")
}

// gatewayFlag is the usage of --gateway; the controller takes several.
const gatewayFlag = "only this Gateway, `NAMESPACE/NAME`"

func backendsFlag(f *pflag.FlagSet, value *string) {
	choice(f, value, "backends", "", "endpoints", []string{"endpoints", "dns", "clusterip"},
		"where Services are reached: at the endpoints of their EndpointSlices, their DNS name or their cluster IP")
}

// domainName is a flag with a DNS name.
type domainName string

func domainFlag(f *pflag.FlagSet, value *domainName) {
	*value = "cluster.local"
	f.Var(value, "cluster-domain", "`domain` that the DNS names of Services end in, for --backends dns")
}

func (d *domainName) String() string { return string(*d) }

func (d *domainName) Type() string { return "domain" }

func (d *domainName) Set(s string) error {
	name := strings.TrimSuffix(s, ".")
	if problems := validation.IsDNS1123Subdomain(name); len(problems) > 0 {
		return errors.New("it must be a DNS name in small letters, such as cluster.local")
	}
	*d = domainName(name)
	return nil
}

func (o *options) proxyFlags(f *pflag.FlagSet) {
	proxyFlag(f, &o.proxy)
	binaryFlag(f, &o.proxyBinary)
	f.StringVar(&o.proxyVersion, "proxy-version", "", "take this `version` of the proxy, with no binary at hand")
}

func (o *options) renderFlags(f *pflag.FlagSet) {
	f.StringVarP(&o.output, "output", "o", "", "`folder` to write, - for stdout")
	choice(f, &o.layout, "layout", "", string(generators.LayoutFull), []string{string(generators.LayoutFull), string(generators.LayoutInclude)},
		"full to start the proxy from, include for a configuration of your own to include")
	templatesFlag(f, &o.templates)
	stateFlag(f, &o.stateDir)
	choice(f, &o.ipv6, "ipv6", "", "on", []string{"on", "off"}, "off for a proxy on a host without IPv6: Gateways without addresses bind IPv4 alone")
	o.servingFlags(f)
}

// servingFlags are about how the proxy serves, in what is rendered and in what runs.
func (o *options) servingFlags(f *pflag.FlagSet) {
	f.StringVar(&o.user, "user", "", "run the proxy's workers as this `user` of the host")
	f.StringVar(&o.group, "group", "", "and as this `group` (default the user's own)")
	f.BoolVar(&o.callOnce, "call-once", false, "have no client send a call again that an endpoint may have run: HAProxy then takes a connection for each call")
	f.StringVar(&o.instance, "instance", "", "`name` that tells this gateway, all replicas of it, from others in the header cdn-loop: small letters, digits and -")
	f.IntVar(&o.maxStreams, "max-streams", limits.Default.Streams,
		"the most calls `N` that one client connection has open at a time; what a hostile one takes of memory grows with it")
}

func proxyFlag(f *pflag.FlagSet, value *string) {
	choice(f, value, "proxy", "", proxies[0].name, proxyNames(), "the proxy to serve with")
}

func binaryFlag(f *pflag.FlagSet, value *string) {
	f.StringVar(value, "proxy-binary", "", "the proxy's `binary`: it says what it can do, and checks configurations")
}

func templatesFlag(f *pflag.FlagSet, value *string) {
	f.StringVar(value, "templates", "", "`folder` with templates that replace built-in ones by name")
}

func stateFlag(f *pflag.FlagSet, value *string) {
	f.StringVar(value, "state-dir", "", "`folder` on the proxy's machine for what runs: configurations, and the socket that says which one it is")
}

// stateOptions are where a subcommand that goes on running keeps its state.
type stateOptions struct {
	shared bool
	keep   int
}

func (o *stateOptions) stateFlags(f *pflag.FlagSet) {
	f.IntVar(&o.keep, "keep", 10, "how many versions of the configuration to keep")
	f.BoolVar(&o.shared, "shared-state-dir", false, "take a state folder that others may change, such as an emptyDir that only this pod has: they can change what is served")
}

// openStore takes the state folder.
func (o *stateOptions) openStore(dir string) (*apply.Store, error) {
	if o.shared {
		return apply.OpenSharedStore(dir, o.keep)
	}
	store, err := apply.OpenStore(dir, o.keep)
	var untrusted *apply.UntrustedError
	if errors.As(err, &untrusted) {
		err = fmt.Errorf("%w; where nobody else is about, as in a pod of your own, --shared-state-dir takes it as it is", err)
	}
	return store, err
}

// checkStreams says what is wrong with --max-streams.
func (o *options) checkStreams() error {
	if o.maxStreams < 1 || o.maxStreams > limits.MaxStreams {
		return fmt.Errorf("--max-streams %d: it must be 1 to %d", o.maxStreams, limits.MaxStreams)
	}
	return nil
}

func attachFlag(f *pflag.FlagSet, value *string) {
	f.StringVar(value, "attach", "", "the pid `file` or master socket of a proxy that somebody else starts")
}

// formatFlag is -o of the subcommands that print.
func (o *options) formatFlag(f *pflag.FlagSet, formats ...string) {
	choice(f, &o.output, "output", "o", formats[0], formats, "format")
}

// choiceValue is a flag with a few allowed values.
type choiceValue struct {
	value   *string
	allowed []string
}

func choice(f *pflag.FlagSet, value *string, name, short, fallback string, allowed []string, usage string) {
	*value = fallback
	f.VarP(&choiceValue{value, allowed}, name, short, usage)
}

func (c *choiceValue) String() string { return *c.value }

func (c *choiceValue) Type() string { return strings.Join(c.allowed, "|") }

func (c *choiceValue) Set(s string) error {
	if !slices.Contains(c.allowed, s) {
		return fmt.Errorf("it must be %s", either(c.allowed))
	}
	*c.value = s
	return nil
}

// either is "a, b or c".
func either(words []string) string {
	if len(words) == 1 {
		return words[0]
	}
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " or " + words[last]
}
