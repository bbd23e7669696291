package main

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/gatewright/gatewright/controller/pipeline"
	"github.com/gatewright/gatewright/controller/translate"
	"github.com/gatewright/gatewright/generators"
	"github.com/gatewright/gatewright/generators/limits"
	"github.com/gatewright/gatewright/runtime/proxies"
	"github.com/gatewright/gatewright/runtime/serve"
)

// The functions of this file give a flag to a command, so that it means the same wherever it occurs, but for -o: a folder
// for generate, a format for the others.

// sourceFlags are about the manifests.
func sourceFlags(f *pflag.FlagSet, s *pipeline.Source) {
	f.StringArrayVarP(&s.Filenames, "filename", "f", nil, "YAML `file` or folder with manifests, - for stdin; repeatable")
	classFlag(f, &s.GatewayClass)
	backendsFlag(f, &s.Backends)
	domainFlag(f, &s.ClusterDomain)
	crossServingFlag(f, &s.CrossServing)
}

// classFlag names a class: one of manifests whatever its controllerName, one of a cluster only if it has ours.
func classFlag(f *pflag.FlagSet, value *string) {
	f.StringVar(value, "gateway-class", "", "serve only Gateways of the class with this `name`")
}

// fromUsage is the usage of --from; exec does without.
const fromUsage = "`folder` to follow and to bring to the proxy"

// gatewayFlag is the usage of --gateway; the controller takes several.
const gatewayFlag = "only this Gateway, `NAMESPACE/NAME`"

func backendsFlag(f *pflag.FlagSet, value *translate.Backends) {
	choice(f, (*string)(value), "backends", "", []string{"endpoints", "dns", "clusterip"},
		"where Services are reached: at the endpoints of their EndpointSlices, their DNS name or their cluster IP")
}

func crossServingFlag(f *pflag.FlagSet, value *translate.CrossServing) {
	choice(f, (*string)(value), "cross-serving", "", []string{string(translate.CrossServingExclusive), string(translate.CrossServingShare)},
		"whose a host is that a GRPCRoute and an HTTPRoute want: the older one's alone, or both ones', by the content type of each request")
}

func domainFlag(f *pflag.FlagSet, value *string) {
	*value = "cluster.local"
	f.Var((*domainName)(value), "cluster-domain", "`domain` that the DNS names of Services end in, for --backends dns")
}

// prefixes is a flag with networks; it may be repeated.
type prefixes struct{ value *[]netip.Prefix }

func (p *prefixes) String() string {
	texts := make([]string, len(*p.value))
	for i, v := range *p.value {
		texts[i] = v.String()
	}
	return strings.Join(texts, ",")
}

func (p *prefixes) Type() string { return "CIDR" }

func (p *prefixes) Set(s string) error {
	for text := range strings.SplitSeq(s, ",") {
		prefix, err := netip.ParsePrefix(text)
		if err != nil {
			ip, ipErr := netip.ParseAddr(text)
			if ipErr != nil || ip.Zone() != "" {
				return fmt.Errorf("%q is neither a network such as 10.0.0.0/8 nor an IP address", text)
			}
			prefix = netip.PrefixFrom(ip, ip.BitLen())
		}
		*p.value = append(*p.value, prefix.Masked())
	}
	return nil
}

// domainName is a flag with a DNS name.
type domainName string

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

// servingFlags are about how the proxy serves, in what is rendered and in what runs; access is the access log when nobody names another.
func servingFlags(f *pflag.FlagSet, s *proxies.Serving, access string) {
	f.StringVar(&s.AccessLog, "access-log", access,
		"where each call has a line: off, stderr, the absolute `PATH` of a file, syslog:HOST:PORT or syslog:unix:PATH")
	choice(f, (*string)(&s.AccessLogFormat), "access-log-format", "", []string{string(generators.AccessText), string(generators.AccessJSON)},
		"what such a line looks like")
	f.StringVar(&s.User, "user", "", "run the proxy's workers as this `user` of the host")
	f.StringVar(&s.Group, "group", "", "and as this `group` (default the user's own)")
	f.BoolVar(&s.CallOnce, "call-once", false,
		"have no client send a call again that an endpoint may have run: HAProxy then takes a connection for each call")
	f.StringVar(&s.Instance, "instance", "",
		"`name` that tells this gateway, all replicas of it, from others in the header cdn-loop: small letters, digits and -")
	f.Var(&prefixes{&s.TrustedProxies}, "trusted-proxies",
		"networks of proxies in front of this one, `CIDR,...`, whose x-forwarded headers requests of HTTPRoutes keep")
	f.StringVar(&s.Bridge, "bridge-socket", "",
		"`path` of the socket of a bridge that you run, for what no proxy can do (default for run and controller: one of their own)")
	f.StringVar(&s.SystemAuthorities, "system-ca", "",
		"`file` on the proxy's machine with the authorities that wellKnownCACertificates System means (default HAProxy's own; for nginx "+
			"/etc/ssl/certs/ca-certificates.crt)")
	f.IntVar(&s.MaxStreams, "max-streams", limits.Default.Streams,
		"the most calls `N` that one client connection has open at a time; what a hostile one takes of memory grows with it")
}

// engineFlags are those of the commands that bring one configuration after the other to a proxy of theirs.
func engineFlags(f *pflag.FlagSet, o *serve.Options, access string) {
	kindFlag(f, &o.Kind)
	programRefused(f)
	binaryFlag(f, &o.Binary)
	templatesFlag(f, &o.Templates)
	servingFlags(f, &o.Serving, access)
	f.BoolVar(&o.CountCalls, "call-metrics", true, "have the proxy tell its calls, and count them in /metrics")
	attachFlag(f, &o.Attach)
	serviceFlags(f, &o.Listen, &o.Timeout)
	f.DurationVar(&o.Drain, "drain", 30*time.Second, "how long calls may take to finish at the end")
	stateFlags(f, &o.State)
}

// serviceFlags are those of all commands that go on running.
func serviceFlags(f *pflag.FlagSet, listen *string, timeout *time.Duration) {
	f.StringVar(listen, "listen", "127.0.0.1:9090",
		"`address` of /status, /healthz, /readyz, /writtenz and /metrics: HOST:PORT, unix:PATH, or \"\" for none")
	f.DurationVar(timeout, "reload-timeout", 15*time.Second, "how long a start or a reload of the proxy may take")
}

// stateFlags are those of all commands that keep versions of a configuration.
func stateFlags(f *pflag.FlagSet, s *serve.State) {
	stateFlag(f, &s.Dir)
	f.IntVar(&s.Keep, "keep", 10, "how many versions of the configuration to keep")
	f.BoolVar(&s.Shared, "shared-state-dir", false,
		"take a state folder that others may change, such as an emptyDir that only this pod has: they can change what is served")
}

func stateFlag(f *pflag.FlagSet, value *string) {
	f.StringVar(value, "state-dir", "",
		"`folder` on the proxy's machine for what runs: configurations, and the socket that says which one it is")
}

func binaryFlag(f *pflag.FlagSet, value *string) {
	f.StringVar(value, "proxy-binary", "", "the proxy's `binary`: it says what it can do, and checks configurations")
}

func templatesFlag(f *pflag.FlagSet, value *string) {
	f.StringVar(value, "templates", "", "`folder` with templates that replace built-in ones by name")
}

func attachFlag(f *pflag.FlagSet, value *string) {
	f.StringVar(value, "attach", "", "the pid `file` or master socket of a proxy that somebody else starts")
}

// kindFlag names the kind of the proxy.
func kindFlag(f *pflag.FlagSet, value **proxies.Kind) {
	*value = proxies.Kinds[0]
	f.Var(&kindValue{value}, "proxy", "the proxy to serve with")
}

type kindValue struct{ kind **proxies.Kind }

func (k *kindValue) String() string { return (*k.kind).Name }

func (k *kindValue) Type() string { return strings.Join(proxies.Names(), "|") }

func (k *kindValue) Set(s string) error {
	kind := proxies.Named(s)
	if kind == nil {
		return fmt.Errorf("it must be %s", either(proxies.Names()))
	}
	*k.kind = kind
	return nil
}

// choiceValue is a flag with a few allowed values.
type choiceValue struct {
	value   *string
	allowed []string
}

// choice is a flag with a few allowed values, the first of which it has when nobody says another.
func choice(f *pflag.FlagSet, value *string, name, short string, allowed []string, usage string) {
	*value = allowed[0]
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
