package suite

import (
	"bytes"
	"context"
	"flag"
	"io/fs"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	"sigs.k8s.io/gateway-api/conformance"
	"sigs.k8s.io/gateway-api/conformance/tests"
	"sigs.k8s.io/gateway-api/conformance/utils/suite"
	"sigs.k8s.io/gateway-api/pkg/features"
)

var asGRPCRoute = flag.String("as-grpcroute", "", "the `tests` that TestAsGRPCRoute runs, separated by commas")

// TestAsGRPCRoute runs tests of Gateways that look at HTTPRoutes with GRPCRoutes in their place: the manifests say
// GRPCRoute where they said HTTPRoute, and the tests are shown a GRPCRoute as the HTTPRoute that they ask for.
// Their code is the suite's own. This goes into no report.
func TestAsGRPCRoute(t *testing.T) {
	options := conformance.DefaultOptions(t)
	options.ManifestFS = []fs.FS{grpcManifests{&conformance.Manifests}}
	options.SkipTests, options.ReportOutputPath = nil, ""
	s, err := suite.NewConformanceTestSuite(options)
	if err != nil {
		t.Fatal(err)
	}
	s.SupportedFeatures.Insert(features.SupportHTTPRoute)
	s.Setup(t, nil)
	s.Client = lens{s.Client}
	for _, name := range strings.Split(*asGRPCRoute, ",") {
		i := slices.IndexFunc(tests.ConformanceTests, func(c suite.ConformanceTest) bool { return c.ShortName == name })
		if i < 0 {
			t.Errorf("the suite has no test %q", name)
			continue
		}
		t.Run(name, func(t *testing.T) { tests.ConformanceTests[i].Run(t, s) })
	}
}

// grpcManifests are manifests with every HTTPRoute turned into a GRPCRoute. Those of the tests that this is for
// have nothing in them that a GRPCRoute hasn't.
type grpcManifests struct{ fs.ReadFileFS }

func (m grpcManifests) ReadFile(name string) ([]byte, error) {
	text, err := m.ReadFileFS.ReadFile(name)
	return bytes.ReplaceAll(text, []byte("HTTPRoute"), []byte("GRPCRoute")), err
}

// lens shows GRPCRoutes as HTTPRoutes.
type lens struct{ client.Client }

func (l lens) Get(ctx context.Context, key client.ObjectKey, o client.Object, options ...client.GetOption) error {
	switch o := o.(type) {
	case *gatewayv1.Gateway:
		if err := l.Client.Get(ctx, key, o, options...); err != nil {
			return err
		}
		for i := range o.Status.Listeners {
			kinds := o.Status.Listeners[i].SupportedKinds
			for j := range kinds {
				if kinds[j].Kind == "GRPCRoute" {
					kinds[j].Kind = "HTTPRoute"
				}
			}
		}
		return nil
	case *gatewayv1.HTTPRoute:
		route := &gatewayv1.GRPCRoute{}
		err := l.Client.Get(ctx, key, route, options...)
		o.ObjectMeta, o.Status.RouteStatus = route.ObjectMeta, route.Status.RouteStatus
		return err
	}
	return l.Client.Get(ctx, key, o, options...)
}
