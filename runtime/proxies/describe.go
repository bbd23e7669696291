package proxies

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/gatewright/gatewright/generators/model"
)

// featureTexts says of each feature what it is, and what nobody gets without it.
var featureTexts = map[model.Feature]struct{ is, without string }{
	model.FeatureHTTP2: {"HTTP/2 to clients",
		"no listener is served: each gets Accepted=False, UnsupportedProtocol (R1, R2)"},
	model.FeatureH2C: {"cleartext HTTP/2 with prior knowledge",
		"listeners of protocol HTTP get Accepted=False, UnsupportedProtocol (R1, R2)"},
	model.FeatureTLS: {"HTTP/2 over TLS, chosen by ALPN",
		"listeners of protocol HTTPS get Accepted=False, UnsupportedProtocol (R1, R2)"},
	model.FeatureGRPC: {"gRPC to backends",
		"no call reaches a backend: gRPC listeners get Accepted=False, UnsupportedProtocol (R2)"},
	model.FeatureHTTP: {"HTTPRoutes", "HTTPRoutes get Accepted=False, and listeners don't name the kind (R35)"},
	model.FeatureRewriteH2C: {"a path that is rewritten for a backend by HTTP/2 in cleartext",
		"a URLRewrite of the path is refused where a backendRef's port has appProtocol kubernetes.io/h2c (R37)"},
	model.FeatureHTTP1Shared: {"HTTP/1.1 on the port of a cleartext HTTP/2 listener",
		"a port with protocol HTTP answers HTTP/2 only, so plain HTTP/1.1 probes of it fail"},
	model.FeatureResolve: {"endpoints that change while it runs", "a change of endpoints needs a reload (R34)"},
	model.FeatureCallOnce: {"a call that an endpoint fails isn't sent again by its client: nginx always, HAProxy by --call-once",
		"clients may send a call again whose endpoint dies or resets it before it answers (R40)"},
	model.FeatureBodyLimit: {"a limit for the bodies of requests",
		"a BackendPolicy with maxRequestBytes gets Accepted=False, Invalid"},
	model.FeatureSessionOutliers: {"endpoints that are left alone for failing, where sessions decide on the endpoint",
		"a BackendPolicy with sessionPersistence and outlierDetection gets Accepted=False, Invalid"},
	model.FeatureBackendTLS: {"TLS to backends, as BackendTLSPolicies say",
		"BackendTLSPolicies get Accepted=False, Invalid, and no call reaches their Services (R17)"},
	model.FeatureConnectionAge: {"connections of clients that end after a time",
		"a Gateway whose GatewayParameters have maxConnectionAge gets Accepted=False, InvalidParameters"},
	model.FeatureMaxStreams: {"a number of calls of a connection for each Gateway",
		"a Gateway whose GatewayParameters have maxStreams gets Accepted=False, InvalidParameters"},
}

// Description is capabilities in words. Its JSON is the output of `gatewright capabilities -o json`.
type Description struct {
	Proxy    string               `json:"proxy"`
	Version  model.Version        `json:"version"`
	Origin   string               `json:"origin,omitempty"`
	Features []FeatureDescription `json:"features"`
	Limits   model.Limits         `json:"limits"`
	// Faults are those of the version, unless the distribution has mended them.
	Faults []model.Fault `json:"faults,omitempty"`
}

// FeatureDescription is one feature.
type FeatureDescription struct {
	Name model.Feature `json:"name"`
	Is   string        `json:"is"`
	Has  bool          `json:"has"`
	// Reason says why it is missing, and Without what that turns off.
	Reason  string `json:"reason,omitempty"`
	Without string `json:"without,omitempty"`
}

// Describe puts capabilities in words.
func Describe(caps model.Capabilities) Description {
	d := Description{Proxy: caps.Proxy, Version: caps.Version, Origin: caps.Origin, Limits: caps.Limits, Faults: caps.Faults}
	for _, f := range model.Features {
		df := FeatureDescription{Name: f, Is: featureTexts[f].is, Has: caps.Has(f)}
		if !df.Has {
			df.Reason, df.Without = caps.Missing[f], featureTexts[f].without
		}
		d.Features = append(d.Features, df)
	}
	return d
}

// Text writes a description for a person.
func (d Description) Text(out io.Writer) error {
	fmt.Fprintf(out, "%s %s", d.Proxy, d.Version)
	if d.Origin != "" {
		fmt.Fprintf(out, " (%s)", d.Origin)
	}
	fmt.Fprintln(out)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, f := range d.Features {
		fmt.Fprintf(w, "  %s\t%s\t%s\n", f.Name, yesNo(f.Has), f.Is)
		if !f.Has {
			fmt.Fprintf(w, "  \t\t  because %s\n  \t\t  so %s\n", f.Reason, f.Without)
		}
	}
	fmt.Fprintf(w, "\nLimits\n")
	for _, l := range limitTexts(d.Limits) {
		fmt.Fprintf(w, "  %s\t%s\n", l[0], l[1])
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if len(d.Faults) > 0 {
		fmt.Fprintf(out, "\nKnown faults of this version, unless your distribution has mended them\n")
	}
	for _, f := range d.Faults {
		fmt.Fprintf(out, "  - %s\n    %s\n", faultText(f, d.Version), f.Means)
	}
	return nil
}

// faultText is a fault with the version that hasn't it any more.
func faultText(f model.Fault, v model.Version) string {
	if fixed, ok := f.FixedIn(v); ok {
		return f.What + "; fixed in " + fixed.String()
	}
	return f.What
}

// FaultSummary says that a version has faults, for a person who writes files for it.
func FaultSummary(caps model.Capabilities) []string {
	if len(caps.Faults) == 0 {
		return nil
	}
	return []string{fmt.Sprintf("%s %s has known faults: gatewright capabilities --proxy %[1]s --proxy-version %[2]s names them",
		caps.Proxy, caps.Version)}
}

// FaultNotes are the faults of a version for a person who starts something with it.
func FaultNotes(caps model.Capabilities) []string {
	var notes []string
	for _, f := range caps.Faults {
		notes = append(notes, fmt.Sprintf("%s %s has a known fault, unless your distribution has mended it: %s: %s",
			caps.Proxy, caps.Version, faultText(f, caps.Version), f.Means))
	}
	return notes
}

// limitTexts are the limits in a user's words.
func limitTexts(l model.Limits) [][2]string {
	size := func(n int) string {
		if n == 0 {
			return "no limit"
		}
		return fmt.Sprintf("%d bytes, with all but plain characters counted as four", n)
	}
	names := "letters and digits"
	if l.MatchHeaderName != "" {
		names += " and " + strings.Join(strings.Split(l.MatchHeaderName, ""), " ")
	}
	list := "several values of a header are sent as one line each"
	if !l.RequestValueList {
		list = "several values of a header are sent as one line, with commas between"
	}
	return [][2]string{
		{"a value or regular expression to match", size(l.MatchValue)},
		{"a header value that a filter sets", size(l.HeaderValue)},
		{"the name of a header to match", names},
		{"values that a filter adds to a request", list},
	}
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}
