package nginx

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/gatewright/gatewright/generators/limits"
	"github.com/gatewright/gatewright/generators/model"
)

// oldest is the first version that the rendered directives work with.
var oldest = model.Version{Major: 1, Minor: 22}

// requirement is what a feature takes. A build has it when the version is not older than since, every flag
// in with is among the configure arguments, and none of those in without.
type requirement struct {
	feature       model.Feature
	since         model.Version
	with, without []string
}

var requirements = []requirement{
	{feature: model.FeatureHTTP2, since: oldest, with: []string{"--with-http_v2_module"}, without: commonWithout},
	{feature: model.FeatureH2C, since: oldest, with: []string{"--with-http_v2_module"}, without: commonWithout},
	{feature: model.FeatureTLS, since: oldest, with: []string{"--with-http_v2_module", "--with-http_ssl_module"}, without: commonWithout},
	{feature: model.FeatureGRPC, since: oldest, with: []string{"--with-http_v2_module"},
		without: append([]string{"--without-http_grpc_module"}, commonWithout...)},
	{feature: model.FeatureHTTP, since: oldest, without: append([]string{"--without-http_proxy_module"}, commonWithout...)},
	{feature: model.FeatureRewriteH2C, since: proxyHTTP2},
	{feature: model.FeatureBackendTLS, since: oldest, with: []string{"--with-http_ssl_module"}},
	{feature: model.FeatureHTTP1Shared, since: model.Version{Major: 1, Minor: 25, Patch: 1}},
	{feature: model.FeatureResolve, since: model.Version{Major: 1, Minor: 27, Patch: 3},
		without: []string{"--without-http_upstream_zone_module"}},
}

// commonWithout are the modules that no listener works without.
var commonWithout = []string{
	"--without-http", "--without-pcre", "--without-http_rewrite_module", "--without-http_map_module",
	"--without-http_geo_module", "--without-http_split_clients_module", "--without-http_upstream_keepalive_module",
}

// debianFlags are the configure arguments of Debian's packages that a requirement asks for.
var debianFlags = []string{"--with-http_v2_module", "--with-http_ssl_module"}

// matchLimits are the same in all versions.
var matchLimits = model.Limits{
	// A key with quotes stays below tokenLimit, and so does an expression with limits.AroundPattern around it.
	MatchValue: 4060,
	Headers:    limits.Default.NginxHeaders(),
	// A bucket of grpc_headers_hash, whose size can't be set, has room for no more.
	HeaderName:       46,
	MatchHeaderName:  "-",
	AddHeaderName:    "-_",
	RequestValueList: true,
	Streams:          limits.Default.Streams,
	EncodedQuery:     true,
	// Each depth is a step of its own, which all reloads read, whosever prefix it is for.
	PrefixDepth: 64,
	RetryCodes:  []int{403, 404, 429, 500, 502, 503, 504},
	// Each endpoint stands in the file once more for each.
	RetryAttempts: 5,
}

var (
	versionLine   = regexp.MustCompile(`(?m)^nginx version: \S+?/(\d+\.\d+\.\d+)`)
	argumentsLine = regexp.MustCompile(`(?m)^configure arguments:(.*)$`)
)

// ParseCapabilities reads what `nginx -V` printed (R4). The error says which line is missing.
func ParseCapabilities(output string) (model.Capabilities, error) {
	m := versionLine.FindStringSubmatch(output)
	if m == nil {
		return model.Capabilities{}, fmt.Errorf("no line %q in the output of nginx -V: is this an nginx?", "nginx version: nginx/…")
	}
	v, err := model.ParseVersion(m[1])
	if err != nil {
		return model.Capabilities{}, err
	}
	m = argumentsLine.FindStringSubmatch(output)
	if m == nil {
		return model.Capabilities{}, fmt.Errorf("no line %q in the output of nginx -V", "configure arguments:")
	}
	return capabilities(v, strings.Fields(m[1])), nil
}

// CapabilitiesOf says what nginx of a stated version can do, built as Debian builds it (R4).
func CapabilitiesOf(v model.Version) model.Capabilities {
	c := capabilities(v, debianFlags)
	c.Origin = "stated"
	return c
}

func capabilities(v model.Version, flags []string) model.Capabilities {
	has := map[string]bool{}
	for _, f := range flags {
		has[f] = true
	}
	c := model.Capabilities{Proxy: "nginx", Version: v, Missing: map[model.Feature]string{}, Limits: matchLimits,
		Faults: model.FaultsOf(Faults, v)}
	c.Missing[model.FeatureSessionOutliers] = "nginx tries no endpoint in the place of all that are left alone, where a session decides"
	for _, r := range requirements {
		if why := r.missing(v, has); why != "" {
			c.Missing[r.feature] = why
		}
	}
	return c
}

// missing says why a build lacks a feature, or "".
func (r *requirement) missing(v model.Version, has map[string]bool) string {
	if v.Compare(r.since) < 0 {
		return fmt.Sprintf("nginx %s is too old: it takes %s or later", v, r.since)
	}
	for _, f := range r.with {
		if !has[f] {
			return fmt.Sprintf("nginx %s was built without %s", v, f)
		}
	}
	for _, f := range r.without {
		if has[f] {
			return fmt.Sprintf("nginx %s was built with %s", v, f)
		}
	}
	return ""
}

// Lingers says whether a version, when it is reloaded, keeps connections of HTTP/1.1 a while that were in use just now.
func Lingers(v model.Version) bool { return v.AtLeast(1, 27, 4) }
