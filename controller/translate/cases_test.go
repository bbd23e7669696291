package translate

import (
	"os"
	"path/filepath"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// casesDir holds the golden cases of the whole pipeline; here their inputs show the conditions.
const casesDir = "../../test/cases"

func readCase(t testing.TB, dir string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(casesDir, dir, "in.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

const (
	fine         = "Accepted=True, ResolvedRefs=True"
	partial      = "Accepted=True, ResolvedRefs=True, PartiallyInvalid=True UnsupportedValue"
	gatewayFine  = "Accepted=True, ResolvedRefs=True, Programmed=Unknown Pending"
	listenerFine = "Accepted=True, Conflicted=False NoConflicts, Programmed=Unknown Pending, ResolvedRefs=True"
)

func refusedListener(reason string) string {
	return "Accepted=False " + reason + ", Conflicted=False NoConflicts, Programmed=False Invalid, ResolvedRefs=True"
}

// noCA is a listener none of whose CAs can be used.
func noCA(reason string) string {
	return "Accepted=False NoValidCACertificate, Conflicted=False NoConflicts, Programmed=False Invalid, ResolvedRefs=False " + reason
}

func badCertificate(reason string) string {
	return "Accepted=True, Conflicted=False NoConflicts, Programmed=False Invalid, ResolvedRefs=False " + reason
}

// TestConditions says, for the inputs of the golden cases, what the object that a case is about gets. Route is
// the first parent's conditions; Listener is "gateway/listener".
func TestConditions(t *testing.T) {
	tests := []struct{ dir, kind, object, want string }{
		{"match-exact", "GatewayClass", "gatewright", "Accepted=True, SupportedVersion=True"},
		{"match-exact", "Gateway", "gateway", gatewayFine},
		{"match-exact", "Listener", "gateway/grpc", listenerFine},
		{"match-exact", "GRPCRoute", "route", fine},

		{"regex-refused-by-re2", "GRPCRoute", "route", partial},
		{"regex-back-reference", "GRPCRoute", "route", partial},
		{"regex-outside-ascii", "GRPCRoute", "route", partial},
		{"regex-all-rules-refused", "GRPCRoute", "route", "Accepted=False UnsupportedValue, ResolvedRefs=True"},
		{"header-name-underscore", "GRPCRoute", "route", partial},
		{"header-host", "GRPCRoute", "route", partial},
		{"header-value-too-long", "GRPCRoute", "route", partial},
		{"header-value-control", "GRPCRoute", "route", partial},
		{"header-hostile-values", "GRPCRoute", "route", fine},

		{"hostname-outside-ignored", "GRPCRoute", "route", fine},
		{"hostname-no-intersection", "GRPCRoute", "route", "Accepted=False NoMatchingListenerHostname, ResolvedRefs=True"},

		{"listener-protocol-unsupported", "Listener", "gateway/tcp", refusedListener("UnsupportedProtocol")},
		{"listener-protocol-unsupported", "Listener", "gateway/tls", refusedListener("UnsupportedProtocol")},
		{"listener-protocol-unsupported", "Listener", "gateway/grpc", listenerFine},
		{"listener-protocol-unsupported", "Gateway", "gateway", "Accepted=True ListenersNotValid, ResolvedRefs=True, Programmed=Unknown Pending"},
		{"listener-protocol-conflict", "Listener", "gateway/http",
			"Accepted=False ProtocolConflict, Conflicted=True ProtocolConflict, Programmed=False Invalid, ResolvedRefs=True"},
		{"listener-protocol-conflict", "Listener", "gateway/https",
			"Accepted=False ProtocolConflict, Conflicted=True ProtocolConflict, Programmed=False Invalid, ResolvedRefs=True"},
		{"listener-protocol-conflict", "Listener", "gateway/other", listenerFine},
		{"gateway-all-listeners-refused", "Gateway", "gateway", "Accepted=False ListenersNotValid, ResolvedRefs=True, Programmed=False Invalid"},
		{"gateway-ports-shared", "Listener", "old/grpc", listenerFine},
		{"gateway-ports-shared", "Listener", "young/grpc", refusedListener("PortUnavailable")},
		{"gateway-ports-shared", "Listener", "young/free", listenerFine},
		{"gateway-ports-by-address", "Listener", "one/grpc", listenerFine},
		{"gateway-ports-by-address", "Listener", "two/grpc", listenerFine},
		{"gateway-address-hostname", "Gateway", "gateway", "Accepted=False UnsupportedAddress, ResolvedRefs=True, Programmed=False Invalid"},
		{"gateway-parameters", "Gateway", "gateway", "Accepted=False InvalidParameters, ResolvedRefs=True, Programmed=False Invalid"},
		{"gateway-client-certificate", "Gateway", "gateway", gatewayFine},
		{"gateway-client-certificate", "Gateway", "missing",
			"Accepted=True, ResolvedRefs=False InvalidClientCertificateRef, Programmed=Unknown Pending"},
		{"class-parameters", "GatewayClass", "gatewright", "Accepted=False InvalidParameters, SupportedVersion=True"},
		{"class-parameters", "Gateway", "gateway", "Accepted=False InvalidParameters, ResolvedRefs=True, Programmed=False Invalid"},

		{"tls-terminate", "Listener", "gateway/grpcs", listenerFine},
		{"tls-overlapping-hostnames", "Listener", "gateway/exact", listenerFine + ", OverlappingTLSConfig=True OverlappingHostnames"},
		{"tls-overlapping-hostnames", "Listener", "gateway/wildcard", listenerFine + ", OverlappingTLSConfig=True OverlappingHostnames"},
		{"tls-overlapping-hostnames", "Listener", "gateway/apart", listenerFine},
		{"tls-secret-missing", "Listener", "gateway/grpcs", badCertificate("InvalidCertificateRef")},
		{"tls-secret-missing", "Gateway", "gateway", "Accepted=True ListenersNotValid, ResolvedRefs=False ListenersNotResolved, " +
			"Programmed=False Invalid"},
		{"tls-key-does-not-fit", "Listener", "gateway/grpcs", badCertificate("InvalidCertificateRef")},
		{"tls-chain-joined", "Listener", "gateway/grpcs", listenerFine},
		{"tls-chain-labels", "Listener", "gateway/grpcs", listenerFine},
		{"tls-chain-out-of-order", "Listener", "gateway/grpcs", listenerFine},
		{"tls-chain-leaf-last", "Listener", "gateway/grpcs", badCertificate("InvalidCertificateRef")},
		{"tls-chain-broken-block", "Listener", "gateway/grpcs", badCertificate("InvalidCertificateRef")},
		{"tls-key-encrypted", "Listener", "gateway/grpcs", badCertificate("InvalidCertificateRef")},
		{"tls-not-pem", "Listener", "gateway/grpcs", badCertificate("InvalidCertificateRef")},
		{"tls-secret-type", "Listener", "gateway/grpcs", badCertificate("InvalidCertificateRef")},
		{"tls-kind", "Listener", "gateway/grpcs", badCertificate("InvalidCertificateRef")},
		{"tls-one-bad-of-two", "Listener", "gateway/grpcs",
			"Accepted=True, Conflicted=False NoConflicts, Programmed=Unknown Pending, ResolvedRefs=False InvalidCertificateRef"},
		{"tls-cross-namespace", "Listener", "gateway/grpcs", listenerFine},
		{"tls-cross-namespace-refused", "Listener", "gateway/grpcs", badCertificate("RefNotPermitted")},
		{"tls-options", "Listener", "gateway/grpcs", refusedListener("UnsupportedValue")},
		{"tls-client-certificates", "Listener", "gateway/grpcs", listenerFine},
		{"tls-client-certificates", "Listener", "gateway/plain", listenerFine},
		{"tls-client-certificates", "Gateway", "gateway", gatewayFine},
		{"tls-client-certificates-refused", "Listener", "gateway/gone", noCA("InvalidCACertificateRef")},
		{"tls-client-certificates-refused", "Listener", "gateway/kind", noCA("InvalidCACertificateKind")},
		{"tls-client-certificates-refused", "Listener", "gateway/not-granted", noCA("RefNotPermitted")},
		{"tls-client-certificates-refused", "Listener", "gateway/empty", noCA("InvalidCACertificateRef")},
		{"tls-client-certificates-refused", "Listener", "gateway/one-of-two",
			"Accepted=True, Conflicted=False NoConflicts, Programmed=Unknown Pending, ResolvedRefs=False InvalidCACertificateRef"},
		{"tls-client-certificates-refused", "Listener", "gateway/fine", listenerFine},
		{"tls-client-certificates-refused", "Listener", "gateway/plain", listenerFine},
		{"tls-client-certificates-fallback", "Gateway", "gateway",
			gatewayFine + ", InsecureFrontendValidationMode=True ConfigurationChanged"},

		{"attach-no-such-section", "GRPCRoute", "route", "Accepted=False NoMatchingParent, ResolvedRefs=True"},
		{"attach-by-port", "GRPCRoute", "route", fine},
		{"attach-other-namespace", "GRPCRoute", "route", "Accepted=False NotAllowedByListeners, ResolvedRefs=True"},
		{"attach-all-namespaces", "GRPCRoute", "route", fine},
		{"attach-namespace-selector", "GRPCRoute", "route", fine},
		{"attach-namespace-selector", "GRPCRoute", "stranger", "Accepted=False NotAllowedByListeners, ResolvedRefs=True"},
		{"attach-bad-selector", "Listener", "gateway/grpc", refusedListener("UnsupportedValue")},
		{"attach-bad-selector", "GRPCRoute", "route", fine},
		{"attach-kind-not-allowed", "GRPCRoute", "route", "Accepted=False NotAllowedByListeners, ResolvedRefs=True"},
		{"attach-kind-not-allowed", "Listener", "gateway/grpc",
			"Accepted=True, Conflicted=False NoConflicts, Programmed=Unknown Pending, ResolvedRefs=True"},
		{"attach-kinds-some-valid", "Listener", "gateway/grpc",
			"Accepted=True, Conflicted=False NoConflicts, Programmed=Unknown Pending, ResolvedRefs=False InvalidRouteKinds"},
		{"attach-kinds-some-valid", "GRPCRoute", "route", fine},
		{"attach-listener-not-accepted", "GRPCRoute", "route", fine},
		{"attach-httproute-older", "GRPCRoute", "grpc", "Accepted=False HostnameConflict, ResolvedRefs=True"},
		{"attach-httproute-older", "GRPCRoute", "apart", fine},
		{"attach-httproute-older", "HTTPRoute", "web", fine},
		{"attach-httproute-younger", "GRPCRoute", "grpc", fine},
		{"attach-httproute-younger", "HTTPRoute", "web", "Accepted=False HostnameConflict, ResolvedRefs=True"},
		{"attach-httproute-alone", "HTTPRoute", "web", fine},
		{"attach-listenerset", "ListenerSet", "more", "Accepted=True, Programmed=Unknown Pending"},
		{"attach-listenerset", "GRPCRoute", "route", fine},
		{"listenerset-not-allowed", "ListenerSet", "of-default", "Accepted=False NotAllowed, Programmed=False NotAllowed"},
		{"listenerset-not-allowed", "GRPCRoute", "route", "Accepted=False NoMatchingParent, ResolvedRefs=True"},
		{"listenerset-conflicts", "Gateway", "gateway", gatewayFine},
		{"listenerset-conflicts", "ListenerSet", "younger", "Accepted=True ListenersNotValid, Programmed=Unknown Pending"},
		{"listenerset-conflicts", "ListenerSet", "second", "Accepted=False ListenersNotValid, Programmed=False ListenersNotValid"},
		{"listenerset-gateway-refused", "ListenerSet", "of-refused", "Accepted=False ParentNotAccepted, Programmed=False ParentNotProgrammed"},
		{"listenerset-gateway-refused", "ListenerSet", "of-no-address", "Accepted=True, Programmed=False ParentNotProgrammed"},
		{"listenerset-gateway-refused", "Gateway", "nothing-of-its-own",
			"Accepted=True ListenersNotValid, ResolvedRefs=True, Programmed=Unknown Pending"},

		{"backend-not-found", "GRPCRoute", "route", "Accepted=True, ResolvedRefs=False BackendNotFound"},
		{"backend-port-not-found", "GRPCRoute", "route", "Accepted=True, ResolvedRefs=False BackendNotFound"},
		{"backend-kind", "GRPCRoute", "route", "Accepted=True, ResolvedRefs=False InvalidKind"},
		{"backend-external-name", "GRPCRoute", "route", "Accepted=True, ResolvedRefs=False InvalidKind"},
		{"backend-cross-namespace", "GRPCRoute", "route", fine},
		{"backend-cross-namespace-refused", "GRPCRoute", "route", "Accepted=True, ResolvedRefs=False RefNotPermitted"},
		{"backend-h2c", "GRPCRoute", "route", fine},
		{"backend-websocket", "GRPCRoute", "route", "Accepted=True, ResolvedRefs=False UnsupportedProtocol"},
		{"backend-no-endpoints", "GRPCRoute", "route", fine},
		{"backend-none", "GRPCRoute", "route", fine},
		{"backend-tls-policy", "GRPCRoute", "route", fine},
		{"backend-tls-policy", "BackendTLSPolicy", "policy", fine},
		{"backend-tls-refused", "GRPCRoute", "route", "Accepted=True, ResolvedRefs=False InvalidBackendTLSPolicy"},
		{"backend-tls-refused", "BackendTLSPolicy", "options", "Accepted=False Invalid, ResolvedRefs=True"},
		{"backend-tls-refused", "BackendTLSPolicy", "missing",
			"Accepted=False NoValidCACertificate, ResolvedRefs=False InvalidCACertificateRef"},
		{"backend-tls-refused", "BackendTLSPolicy", "kind", "Accepted=False NoValidCACertificate, ResolvedRefs=False InvalidKind"},
		{"backend-tls-conflicts", "BackendTLSPolicy", "b", "Accepted=False Conflicted, ResolvedRefs=True"},

		{"filter-hostile-values", "GRPCRoute", "route", fine},
		{"session-persistence", "GRPCRoute", "route", fine},
		{"session-persistence-refused", "GRPCRoute", "route", partial},
		{"backend-policy", "GRPCRoute", "route", fine},
		{"backend-policy", "BackendPolicy", "all", "Accepted=True"},
		{"backend-policy", "BackendPolicy", "service", "Accepted=True"},
		{"backend-policy-refused", "BackendPolicy", "invalid", "Accepted=False Invalid"},
		{"backend-policy-refused", "BackendPolicy", "younger", "Accepted=False Conflicted"},
		{"backend-policy-refused", "BackendPolicy", "half", "Accepted=True"},
		{"gateway-default-scope", "Gateway", "gateway", gatewayFine},
		{"backend-policy-other-port", "GRPCRoute", "route", fine},
		{"route-without-rules", "GRPCRoute", "route", fine},
		{"endpoint-loop", "GRPCRoute", "route", "Accepted=True, ResolvedRefs=False EndpointIsListener"},
		{"filter-protected-header", "GRPCRoute", "route", partial},
		{"filter-two-actions", "GRPCRoute", "route", partial},
		{"filter-mirror", "GRPCRoute", "route", fine},
		{"filter-mirror-invalid", "GRPCRoute", "route", "Accepted=True, ResolvedRefs=False BackendNotFound"},
		{"policy-calls", "GRPCRoute", "route", fine},
		{"policy-connect-failure", "GRPCRoute", "route", fine},
		{"policy-missing", "GRPCRoute", "route", "Accepted=True, ResolvedRefs=False BackendNotFound"},
		{"policy-http", "HTTPRoute", "route", "Accepted=False UnsupportedValue, ResolvedRefs=True"},
		{"filter-extension-ref", "GRPCRoute", "route", "Accepted=True, ResolvedRefs=False InvalidKind"},
		{"filter-backend-extension-ref", "GRPCRoute", "route", "Accepted=True, ResolvedRefs=False InvalidKind"},
	}
	for _, tt := range tests {
		t.Run(tt.dir+"/"+tt.kind+"/"+tt.object, func(t *testing.T) {
			r := Translate(decode(t, readCase(t, tt.dir)), nginx, Options{})
			conditions := conditionsOf(t, r, tt.kind, tt.object)
			if got := show(conditions); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
			for _, c := range conditions {
				if c.ObservedGeneration != 7 || c.Message == "" {
					t.Errorf("%s: observedGeneration %d, message %q", c.Type, c.ObservedGeneration, c.Message)
				}
			}
		})
	}
}

func conditionsOf(t testing.TB, r Result, kind, object string) []metav1.Condition {
	t.Helper()
	if kind == "Listener" {
		dir, section := filepath.Split(object)
		for _, l := range findReport(t, r, "Gateway", filepath.Clean(dir)).Gateway.Listeners {
			if string(l.Name) == section {
				return l.Conditions
			}
		}
		t.Fatalf("no listener %s", object)
	}
	switch rep := findReport(t, r, kind, object); {
	case rep.GatewayClass != nil:
		return rep.GatewayClass.Conditions
	case rep.Gateway != nil:
		return rep.Gateway.Conditions
	case rep.ListenerSet != nil:
		return rep.ListenerSet.Conditions
	case rep.Policy != nil:
		return rep.Policy.Ancestors[0].Conditions
	default:
		return rep.Route.Parents[0].Conditions
	}
}

// TestEveryCase translates the input of every golden case, and again with its objects in another order.
func TestEveryCase(t *testing.T) {
	dirs, err := filepath.Glob(casesDir + "/*/in.yaml")
	if err != nil || len(dirs) < 50 {
		t.Fatalf("%d cases, %v", len(dirs), err)
	}
	for _, d := range dirs {
		dir := filepath.Base(filepath.Dir(d))
		t.Run(dir, func(t *testing.T) {
			s := decode(t, readCase(t, dir))
			same(t, s, 1)
			wellFormed(t, Translate(s, nginx, Options{}))
		})
	}
}
