package haproxy_test

import (
	"strings"
	"testing"

	"github.com/gatewright/gatewright/generators/haproxy"
	"github.com/gatewright/gatewright/generators/model"
)

const both = "         h2 : mode=HTTP  side=FE|BE  mux=H2    flags=HTX|HOL_RISK|NO_UPG\n"

func TestParseCapabilities(t *testing.T) {
	for name, c := range map[string]struct {
		version, features, protocols string
		missing                      map[model.Feature]string
	}{
		"all": {"3.2.26", "+OPENSSL +PCRE2", both, nil},
		"no backends": {"2.6.12", "+OPENSSL +PCRE2", strings.Replace(both, "FE|BE", "FE", 1),
			map[model.Feature]string{model.FeatureGRPC: "side=BE", model.FeatureHTTP: "side=BE", model.FeatureCallOnce: "3.0.0 or later"}},
		"no HTTP/2": {"2.6.12", "+OPENSSL +PCRE2", "", map[model.Feature]string{model.FeatureH2C: "side=FE", model.FeatureTLS: "side=FE",
			model.FeatureHTTP2: "side=FE", model.FeatureGRPC: "side=BE", model.FeatureHTTP: "side=BE",
			model.FeatureCallOnce: "3.0.0 or later"}},
		"no TLS": {"3.0.11", "-OPENSSL +PCRE", both, map[model.Feature]string{model.FeatureTLS: "USE_OPENSSL",
			model.FeatureBackendTLS: "USE_OPENSSL"}},
		"no PCRE": {"3.0.11", "+OPENSSL -PCRE2", both, map[model.Feature]string{model.FeatureH2C: "USE_PCRE2", model.FeatureTLS: "USE_PCRE2",
			model.FeatureHTTP2: "USE_PCRE2", model.FeatureGRPC: "USE_PCRE2", model.FeatureHTTP: "USE_PCRE2"}},
		"too old": {"2.4.0", "+OPENSSL +PCRE2", both, map[model.Feature]string{model.FeatureH2C: "too old", model.FeatureTLS: "too old",
			model.FeatureHTTP2: "too old", model.FeatureGRPC: "too old", model.FeatureHTTP: "too old", model.FeatureHTTP1Shared: "too old",
			model.FeatureCallOnce: "3.0.0 or later", model.FeatureBackendTLS: "too old"}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := haproxy.ParseCapabilities("HAProxy version " + c.version + "-1 2026/10/14 - https://haproxy.org/\nFeature list : " +
				c.features + "\n" + c.protocols)
			if err != nil {
				t.Fatal(err)
			}
			if why := got.Missing[model.FeatureBodyLimit]; !strings.Contains(why, "what fits into its buffer") {
				t.Errorf("bodies: %q", why)
			}
			delete(got.Missing, model.FeatureBodyLimit)
			if why := got.Missing[model.FeatureConnectionAge]; !strings.Contains(why, "HTTP/2 for its age") {
				t.Errorf("the age of connections: %q", why)
			}
			delete(got.Missing, model.FeatureConnectionAge)
			if why := got.Missing[model.FeatureMaxStreams]; !strings.Contains(why, "--max-streams") {
				t.Errorf("calls of a connection: %q", why)
			}
			delete(got.Missing, model.FeatureMaxStreams)
			for _, f := range model.Features {
				if want := c.missing[f]; (want == "") != got.Has(f) || !strings.Contains(got.Missing[f], want) {
					t.Errorf("%s: %q, want %q", f, got.Missing[f], want)
				}
			}
			if got.Version.String() != c.version {
				t.Errorf("version %s, want %s", got.Version, c.version)
			}
		})
	}
	for _, bad := range []string{"", "nginx version: nginx/1.22.1", "HAProxy version 3.0.1\n"} {
		if _, err := haproxy.ParseCapabilities(bad); err == nil || !strings.Contains(err.Error(), "haproxy -vv") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}
