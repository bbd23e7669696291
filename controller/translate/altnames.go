package translate

import (
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/gatewright/gatewright/generators/model"
)

// altNames are names as the model has them, each once.
func altNames(names []gatewayv1.SubjectAltName) []model.SubjectAltName {
	var out []model.SubjectAltName
	for _, n := range names {
		name := model.SubjectAltName{Hostname: strings.ToLower(string(n.Hostname))}
		if n.Type == gatewayv1.URISubjectAltNameType {
			name = model.SubjectAltName{URI: string(n.URI)}
			if u, err := url.Parse(name.URI); err == nil {
				name.URI = u.String() // as certificates are read
			}
		}
		if !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	return out
}

// altNameProblem is what is wrong with a name that a certificate is to have, behind its place; "" for nothing. One that no certificate
// has in this form would be compared with something else, or with nothing.
func altNameProblem(n *gatewayv1.SubjectAltName) string {
	switch n.Type {
	case gatewayv1.HostnameSubjectAltNameType:
		name := strings.ToLower(string(n.Hostname))
		_, err := netip.ParseAddr(name)
		if err == nil || len(validation.IsDNS1123Subdomain(name)) > 0 && len(validation.IsWildcardDNS1123Subdomain(name)) > 0 {
			return fmt.Sprintf(".hostname: %q isn't a DNS name", n.Hostname)
		}
	case gatewayv1.URISubjectAltNameType:
		if u, err := url.Parse(string(n.URI)); err != nil || u.Scheme == "" {
			return fmt.Sprintf(".uri: %q isn't a URI with a scheme, such as spiffe://example.com/ns/shop", n.URI)
		}
	default:
		return fmt.Sprintf(".type: %q isn't known; use %s or %s", n.Type, gatewayv1.HostnameSubjectAltNameType, gatewayv1.URISubjectAltNameType)
	}
	return ""
}
