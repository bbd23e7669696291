package translate

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	"sigs.k8s.io/yaml"

	"github.com/gatewright/gatewright/controller/resources"
	"github.com/gatewright/gatewright/controller/status"
	"github.com/gatewright/gatewright/generators/model"
)

// nginx can do everything, within the limits of nginx.
var nginx = model.Capabilities{
	Proxy: "nginx", Version: model.Version{Major: 1, Minor: 26, Patch: 3},
	Limits: model.Limits{MatchValue: 4000, PrefixDepth: 64, HeaderValue: 4000, MatchHeaderName: "-", AddHeaderName: "-_",
		RetryCodes: []int{500, 503}, RetryAttempts: 5},
}

// decode reads manifests as a test writes them: no defaults, no validation.
func decode(t testing.TB, manifests ...string) *resources.Snapshot {
	t.Helper()
	s := &resources.Snapshot{}
	r := utilyaml.NewYAMLReader(bufio.NewReader(strings.NewReader(strings.Join(manifests, "\n---\n"))))
	for {
		doc, err := r.Read()
		if errors.Is(err, io.EOF) {
			return s
		}
		if err != nil {
			t.Fatal(err)
		}
		if len(bytes.TrimSpace(doc)) == 0 {
			continue
		}
		addTo(t, s, doc)
	}
}

func addTo(t testing.TB, s *resources.Snapshot, doc []byte) {
	t.Helper()
	var meta metav1.TypeMeta
	if err := yaml.Unmarshal(doc, &meta); err != nil {
		t.Fatalf("%v in\n%s", err, doc)
	}
	switch meta.Kind {
	case "GatewayClass":
		add(t, doc, &s.GatewayClasses)
	case "Gateway":
		add(t, doc, &s.Gateways)
	case "ListenerSet":
		add(t, doc, &s.ListenerSets)
	case "GRPCRoute":
		add(t, doc, &s.GRPCRoutes)
	case "HTTPRoute":
		add(t, doc, &s.HTTPRoutes)
	case "ReferenceGrant":
		add(t, doc, &s.ReferenceGrants)
	case "BackendTLSPolicy":
		add(t, doc, &s.BackendTLSPolicies)
	case "GRPCTimeoutPolicy":
		add(t, doc, &s.GRPCTimeoutPolicies)
	case "GRPCRetryPolicy":
		add(t, doc, &s.GRPCRetryPolicies)
	case "BackendPolicy":
		add(t, doc, &s.BackendPolicies)
	case "GatewayParameters":
		add(t, doc, &s.GatewayParameters)
	case "Namespace":
		add(t, doc, &s.Namespaces)
	case "Service":
		add(t, doc, &s.Services)
	case "EndpointSlice":
		add(t, doc, &s.EndpointSlices)
	case "Secret":
		add(t, doc, &s.Secrets)
	case "ConfigMap":
		add(t, doc, &s.ConfigMaps)
	case "":
		// Only comments.
	default:
		t.Fatalf("unknown kind %q in\n%s", meta.Kind, doc)
	}
}

func add[T any](t testing.TB, doc []byte, list *[]*T) {
	t.Helper()
	o := new(T)
	if err := yaml.UnmarshalStrict(doc, o); err != nil {
		t.Fatalf("%v in\n%s", err, doc)
	}
	m := any(o).(metav1.Object)
	if m.GetNamespace() == "" {
		switch any(o).(type) {
		case *gatewayv1.GatewayClass, *corev1.Namespace:
		default:
			m.SetNamespace("default")
		}
	}
	if m.GetGeneration() == 0 {
		m.SetGeneration(7)
	}
	if secret, ok := any(o).(*corev1.Secret); ok {
		for k, v := range secret.StringData {
			if secret.Data == nil {
				secret.Data = map[string][]byte{}
			}
			secret.Data[k] = []byte(v)
		}
	}
	*list = append(*list, o)
}

// findReport returns the report of an object.
func findReport(t testing.TB, r Result, kind, n string) *status.Report {
	t.Helper()
	reports := r.Reports()
	for i := range reports {
		if reports[i].Kind == kind && reports[i].Name == n {
			return &reports[i]
		}
	}
	t.Fatalf("no report for %s %s", kind, n)
	return nil
}

// show writes a condition as a test wants it: "Accepted=False NoMatchingParent".
func show(conditions []metav1.Condition) string {
	var out []string
	for _, c := range conditions {
		s := c.Type + "=" + string(c.Status)
		if c.Reason != c.Type {
			s += " " + c.Reason
		}
		out = append(out, s)
	}
	return strings.Join(out, ", ")
}
