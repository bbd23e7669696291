package translate

import (
	"fmt"
	"slices"
	"strings"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/gatewright/gatewright/controller/referent"
	"github.com/gatewright/gatewright/generators/model"
)

// clientValidation is what a Gateway asks of the certificates of the clients of a port.
type clientValidation struct {
	field string
	spec  *gatewayv1.FrontendTLSValidation
	// served is nil while no reference leads to a CA.
	served *model.ClientValidation
	refs   []problem
	notes  []string
}

// validateClients finds what is asked of the clients of the HTTPS listeners. All listeners of a port ask for the same. A CA that
// can't be used costs only itself; a listener without any isn't served, for it would let everybody in (R31).
func (g *graph) validateClients() {
	for _, gw := range g.gateways {
		for _, l := range gw.all {
			if l.spec.Protocol != gatewayv1.HTTPSProtocolType {
				continue
			}
			v := g.clientValidation(gw, l.spec.Port)
			if v == nil {
				continue
			}
			l.clients = v.served
			for _, p := range v.refs {
				l.refs = append(l.refs, problem{p.reason, l.saidOfGateway(p.message)})
			}
			for _, note := range v.notes {
				l.notes = append(l.notes, l.saidOfGateway(note))
			}
			switch {
			case v.spec.Mode != "" && v.spec.Mode != gatewayv1.AllowValidOnly && v.spec.Mode != gatewayv1.AllowInsecureFallback:
				l.refuse(gatewayv1.ListenerReasonUnsupportedValue, fmt.Sprintf("%s.mode: %s isn't supported; use %s or %s", l.ofGateway(v.field),
					v.spec.Mode, gatewayv1.AllowValidOnly, gatewayv1.AllowInsecureFallback))
			case v.served == nil:
				l.refuse(gatewayv1.ListenerReasonNoValidCACertificate, l.ofGateway(v.field+".caCertificateRefs")+
					": none leads to a CA certificate that can be used; without one no client can be told from any other")
			}
		}
	}
}

// saidOfGateway is a message about a field of the Gateway, for the listener.
func (l *listener) saidOfGateway(message string) string {
	if l.set == nil {
		return message
	}
	return l.gateway.String() + ": " + message
}

// clientValidation reads what a Gateway says of a port once, however many listeners it has; nil for nothing.
func (g *graph) clientValidation(gw *gateway, port int32) *clientValidation {
	field, spec := gw.validationOf(port)
	if spec == nil {
		return nil
	}
	if v := gw.validations[field]; v != nil {
		return v
	}
	v := &clientValidation{field: field, spec: spec}
	if gw.validations == nil {
		gw.validations = map[string]*clientValidation{}
	}
	gw.validations[field] = v
	g.resolveCAs(gw, v)
	return v
}

// validationOf is what holds for the HTTPS listeners of a port, with its field: a port of its own overrides the default, also
// with nothing.
func (gw *gateway) validationOf(port int32) (string, *gatewayv1.FrontendTLSValidation) {
	t := gw.object.Spec.TLS
	if t == nil || t.Frontend == nil {
		return "", nil
	}
	for i := range t.Frontend.PerPort {
		if p := &t.Frontend.PerPort[i]; p.Port == port {
			return fmt.Sprintf("spec.tls.frontend.perPort[%d].tls.validation", i), p.TLS.Validation
		}
	}
	return "spec.tls.frontend.default.validation", t.Frontend.Default.Validation
}

// resolveCAs puts the certificates of all CAs together.
func (g *graph) resolveCAs(gw *gateway, v *clientValidation) {
	served := &model.ClientValidation{InsecureFallback: v.spec.Mode == gatewayv1.AllowInsecureFallback}
	var all []string
	for i := range v.spec.CACertificateRefs {
		field := fmt.Sprintf("%s.caCertificateRefs[%d]", v.field, i)
		b, p := g.caCertificates(referent.CACertificate(&v.spec.CACertificateRefs[i], gw.name.namespace), kindGateway, gw.name.namespace)
		if p != nil {
			v.refs = append(v.refs, problem{p.reason, field + ": " + p.message})
			continue
		}
		if b.note != "" {
			v.notes = append(v.notes, fmt.Sprintf("%s: %s %s", field, b.object, b.note))
		}
		served.CAs = append(served.CAs, b.object)
		for _, c := range b.certificates {
			if !slices.Contains(all, c) {
				all = append(all, c)
			}
		}
	}
	if len(all) > 0 {
		served.Certificates = []byte(strings.Join(all, ""))
		v.served = served
	}
}

// insecureFallback says where the Gateway lets clients in whatever their certificate; "" for nowhere.
func (gw *gateway) insecureFallback() string {
	t := gw.object.Spec.TLS
	if t == nil || t.Frontend == nil {
		return ""
	}
	var fields []string
	note := func(field string, v *gatewayv1.FrontendTLSValidation) {
		if v != nil && v.Mode == gatewayv1.AllowInsecureFallback {
			fields = append(fields, field+".validation.mode")
		}
	}
	note("spec.tls.frontend.default", t.Frontend.Default.Validation)
	for i := range t.Frontend.PerPort {
		note(fmt.Sprintf("spec.tls.frontend.perPort[%d].tls", i), t.Frontend.PerPort[i].TLS.Validation)
	}
	if len(fields) == 0 {
		return ""
	}
	return fmt.Sprintf("%s: %s serves clients without a certificate, and with one that nobody vouches for; backends have to look for themselves",
		strings.Join(fields, ", "), gatewayv1.AllowInsecureFallback)
}
