package nginx_test

import (
	"strings"
	"testing"

	"github.com/gatewright/gatewright/generators/model"
	"github.com/gatewright/gatewright/generators/nginx"
)

func TestParseCapabilities(t *testing.T) {
	const all = "--with-http_v2_module --with-http_ssl_module"
	for name, c := range map[string]struct {
		version, arguments string
		missing            map[model.Feature]string
	}{
		"1.22": {"1.22.1", all, map[model.Feature]string{
			model.FeatureRewriteH2C:  "nginx 1.22.1 is too old: it takes 1.29.4 or later",
			model.FeatureHTTP1Shared: "nginx 1.22.1 is too old: it takes 1.25.1 or later",
			model.FeatureResolve:     "nginx 1.22.1 is too old: it takes 1.27.3 or later",
		}},
		"1.30": {"1.30.6", all, nil},
		"no proxy": {"1.30.0", all + " --without-http_proxy_module",
			map[model.Feature]string{model.FeatureHTTP: "nginx 1.30.0 was built with --without-http_proxy_module"}},
		"no HTTP/2": {"1.30.0", "--with-http_ssl_module", map[model.Feature]string{
			model.FeatureHTTP2: "nginx 1.30.0 was built without --with-http_v2_module",
			model.FeatureH2C:   "nginx 1.30.0 was built without --with-http_v2_module",
			model.FeatureTLS:   "nginx 1.30.0 was built without --with-http_v2_module",
			model.FeatureGRPC:  "nginx 1.30.0 was built without --with-http_v2_module",
		}},
		"no TLS": {"1.30.0", "--with-http_v2_module", map[model.Feature]string{model.FeatureTLS: "nginx 1.30.0 was built without " +
			"--with-http_ssl_module", model.FeatureBackendTLS: "nginx 1.30.0 was built without --with-http_ssl_module"}},
		"no gRPC": {"1.30.0", all + " --without-http_grpc_module",
			map[model.Feature]string{model.FeatureGRPC: "nginx 1.30.0 was built with --without-http_grpc_module"}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := nginx.ParseCapabilities("nginx version: nginx/" + c.version + " (Debian)\nbuilt by x\nconfigure arguments: --prefix=/x " +
				c.arguments + "\n")
			if err != nil {
				t.Fatal(err)
			}
			if why := got.Missing[model.FeatureSessionOutliers]; !strings.Contains(why, "where a session decides") {
				t.Errorf("outliers of sessions: %q", why)
			}
			delete(got.Missing, model.FeatureSessionOutliers)
			for _, f := range model.Features {
				if got.Missing[f] != c.missing[f] {
					t.Errorf("%s: %q, want %q", f, got.Missing[f], c.missing[f])
				}
			}
			if got.Version.String() != c.version {
				t.Errorf("version %s, want %s", got.Version, c.version)
			}
		})
	}
	for _, bad := range []string{"", "HAProxy version 3.0", "nginx version: nginx/1.2.3\n"} {
		if _, err := nginx.ParseCapabilities(bad); err == nil || !strings.Contains(err.Error(), "nginx -V") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}
