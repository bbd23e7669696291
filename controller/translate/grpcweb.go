package translate

import (
	"fmt"
	"strings"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/gatewright/gatewright/generators/model"
)

// The annotations of GRPCRoutes about gRPC-Web.
const (
	// GRPCWebAnnotation has the rules of a GRPCRoute take calls of gRPC-Web: "enabled".
	GRPCWebAnnotation = "gatewright.io/grpc-web"
	// GRPCWebOriginsAnnotation are the origins whose pages may make them, with commas between: as allowOrigins of an HTTPRoute's
	// CORS filter has them.
	GRPCWebOriginsAnnotation = "gatewright.io/grpc-web-origins"
)

const webEnabled = "enabled"

// webAge is for how many seconds a browser keeps the answer to a preflight request.
const webAge = 600

// grpcWeb reads what the annotations of a GRPCRoute say: nil for nothing.
func grpcWeb(annotations map[string]string) (*model.CORS, *problem) {
	refuse := func(annotation string, err error) (*model.CORS, *problem) {
		return nil, unsupported("metadata.annotations["+annotation+"]", err)
	}
	value, asked := annotations[GRPCWebAnnotation]
	origins, listed := annotations[GRPCWebOriginsAnnotation]
	switch {
	case asked && value != webEnabled:
		return refuse(GRPCWebAnnotation, fmt.Errorf(": %q isn't supported; use %q, or remove the annotation", clip(value), webEnabled))
	case !asked && listed:
		return refuse(GRPCWebOriginsAnnotation, fmt.Errorf(": it says nothing without the annotation %s: %s", GRPCWebAnnotation, webEnabled))
	case !asked:
		return nil, nil
	}
	f := &gatewayv1.HTTPCORSFilter{MaxAge: webAge}
	if listed {
		for o := range strings.SplitSeq(origins, ",") {
			f.AllowOrigins = append(f.AllowOrigins, gatewayv1.CORSOrigin(strings.TrimSpace(o)))
		}
	}
	c, err := cors(f)
	if err != nil {
		return refuse(GRPCWebOriginsAnnotation, fmt.Errorf(": %s", strings.TrimPrefix(err.Error(), ".cors.")))
	}
	// What a call is, its path and its metadata say. Without credentials "*" is every header, also of the answer.
	c.AllowMethods, c.AllowHeaders = []string{"POST"}, []string{"*"}
	c.ExposeHeaders = []string{"*"}
	return c, nil
}

// refuseWeb refuses a route whose calls of gRPC-Web can't be served.
func (g *graph) refuseWeb(r *route) {
	r.fatal = r.badWeb
	if r.web == nil {
		return
	}
	if why := g.unbridged(); why != "" {
		r.fatal = unsupported("metadata.annotations["+GRPCWebAnnotation+"]", fmt.Errorf(": gRPC-Web can't be served: %s", why))
	}
}

// leaveCleartext drops the listeners where no browser reaches a GRPCRoute: on a proxy that speaks HTTP/2 alone in cleartext.
func (g *graph) leaveCleartext(p *parent, r *route) {
	var kept []*listener
	var lost []string
	for _, l := range p.listeners {
		if l.spec.Protocol != gatewayv1.HTTPProtocolType {
			kept = append(kept, l)
			continue
		}
		lost = append(lost, fmt.Sprintf("listener %q: annotation %s: no browser speaks HTTP/2 in cleartext, and the port speaks nothing "+
			"else: %s", l.spec.Name, GRPCWebAnnotation, g.caps.Missing[model.FeatureHTTP1Shared]))
	}
	if p.listeners = kept; len(kept) == 0 {
		p.refuse(reasonProtocolConflict, strings.Join(lost, "; ")+"; attach the route to listeners with protocol HTTPS only")
		return
	}
	p.lost = append(p.lost, lost...)
}
