package haproxy

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/gatewright/gatewright/generators/limits"
	"github.com/gatewright/gatewright/generators/model"
)

// oldest is the first version that the rendered directives work with.
var oldest = model.Version{Major: 2, Minor: 6}

// matchLimits are the same in all versions.
var matchLimits = model.Limits{
	// A path of this length, its scope and what it leads to stand in one line of a map; values of headers share it.
	MatchValue: 4060,
	Headers:    limits.Default.HAProxyHeaders(),
	// All of them stand in one line of regexes.map, which has room for 16,000 bytes: other columns of the set and what
	// joins them take up to 1,000.
	Match: 14000,
	// Neither quotes nor "|", which keys of maps have between their parts.
	MatchHeaderName:  "!#$%&*+-.^_`~",
	AddHeaderName:    model.TokenCharacters,
	RequestValueList: true,
	Streams:          limits.Default.Streams,
}

var (
	versionLine  = regexp.MustCompile(`(?m)^HA-?Proxy version (\d+\.\d+(?:\.\d+)?)`)
	featureLine  = regexp.MustCompile(`(?m)^Feature list :(.*)$`)
	protocolLine = regexp.MustCompile(`(?m)^\s*h2 : mode=HTTP\s+side=(\S+)\s+mux=H2`)
)

// build is what `haproxy -vv` says.
type build struct {
	features map[string]bool
	// sides are where HTTP/2 is spoken: "FE", "BE" or both with "|" between.
	sides string
}

// debian is a build with all that a requirement asks for, as Debian's packages are.
var debian = build{features: map[string]bool{"OPENSSL": true, "PCRE2": true}, sides: "FE|BE"}

// requirement is what a feature takes; the error text starts behind "HAProxy 2.6.12 ".
type requirement struct {
	features []model.Feature
	ok       func(build) bool
	why      string
}

var requirements = []requirement{
	{listening, func(b build) bool { return strings.Contains(b.sides, "FE") },
		`can't speak HTTP/2 to clients: haproxy -vv shows no "h2 : mode=HTTP side=FE"`},
	{[]model.Feature{model.FeatureGRPC, model.FeatureHTTP}, func(b build) bool { return strings.Contains(b.sides, "BE") },
		`can't speak HTTP/2 to backends: haproxy -vv shows no "h2 : mode=HTTP side=BE"`},
	{[]model.Feature{model.FeatureTLS, model.FeatureBackendTLS}, func(b build) bool { return b.features["OPENSSL"] }, "was built without USE_OPENSSL"},
	// Regular expressions are written for PCRE.
	{append([]model.Feature{model.FeatureGRPC, model.FeatureHTTP}, listening...),
		func(b build) bool { return b.features["PCRE2"] || b.features["PCRE"] }, "was built without USE_PCRE2"},
}

// listening are the features that an HTTP/2 listener takes.
var listening = []model.Feature{model.FeatureHTTP2, model.FeatureH2C, model.FeatureTLS}

// ParseCapabilities reads what `haproxy -vv` printed (R4). The error says which line is missing.
func ParseCapabilities(output string) (model.Capabilities, error) {
	m := versionLine.FindStringSubmatch(output)
	if m == nil {
		return model.Capabilities{}, fmt.Errorf("no line %q in the output of haproxy -vv: is this a HAProxy?", "HAProxy version …")
	}
	v, err := model.ParseVersion(m[1])
	if err != nil {
		return model.Capabilities{}, err
	}
	m = featureLine.FindStringSubmatch(output)
	if m == nil {
		return model.Capabilities{}, fmt.Errorf("no line %q in the output of haproxy -vv", "Feature list :")
	}
	b := build{features: map[string]bool{}}
	for _, f := range strings.Fields(m[1]) {
		if name, with := strings.CutPrefix(f, "+"); with {
			b.features[name] = true
		}
	}
	for _, m := range protocolLine.FindAllStringSubmatch(output, -1) {
		b.sides += m[1]
	}
	return capabilities(v, b), nil
}

// CapabilitiesOf says what HAProxy of a stated version can do, built as Debian builds it (R4).
func CapabilitiesOf(v model.Version) model.Capabilities {
	c := capabilities(v, debian)
	c.Origin = "stated"
	return c
}

func capabilities(v model.Version, b build) model.Capabilities {
	c := model.Capabilities{Proxy: "haproxy", Version: v, Missing: map[model.Feature]string{}, Limits: matchLimits,
		Faults: model.FaultsOf(Faults, v)}
	c.Limits.RetryCodes, c.Limits.RetryAttempts = retryCodes(v), 10
	for _, r := range requirements {
		if r.ok(b) {
			continue
		}
		for _, f := range r.features {
			c.Missing[f] = fmt.Sprintf("HAProxy %s %s", v, r.why)
		}
	}
	c.Missing[model.FeatureMaxStreams] = "HAProxy has one number for all its ports, which is that of --max-streams"
	c.Missing[model.FeatureConnectionAge] = "HAProxy ends no connection of HTTP/2 for its age"
	c.Missing[model.FeatureBodyLimit] = "HAProxy sees of a body only what fits into its buffer, so it can't limit one"
	if v.Compare(oldest) < 0 {
		for _, f := range append([]model.Feature{model.FeatureGRPC, model.FeatureHTTP, model.FeatureHTTP1Shared, model.FeatureBackendTLS}, listening...) {
			c.Missing[f] = fmt.Sprintf("HAProxy %s is too old: it takes %s or later", v, oldest)
		}
	}
	if !v.AtLeast(3, 0, 0) {
		c.Missing[model.FeatureCallOnce] = fmt.Sprintf("HAProxy %s tells clients that no endpoint has seen a call, whatever became of it: it "+
			"takes 3.0.0 or later", v)
	}
	return c
}

// retryCodes are the statuses of backends that a request can be tried again on.
func retryCodes(v model.Version) []int {
	codes := []int{401, 403, 404, 408, 425, 500, 501, 502, 503, 504}
	if v.AtLeast(3, 0, 0) {
		codes = append(codes, 429)
	}
	if v.AtLeast(3, 2, 0) {
		codes = append(codes, 421)
	}
	slices.Sort(codes)
	return codes
}
