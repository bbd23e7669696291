package nginx

import (
	"strings"

	"github.com/gatewright/gatewright/generators/model"
)

// webContent is $gw_content where GRPCRoutes of a host take calls of gRPC-Web: what browsers ask about those is theirs.
const webContent = "gw_content_web"

// webContent writes that map.
func (s *servers) webContent() {
	if !s.tables.HasWeb() {
		return
	}
	b := s.blocks.add(Map{Comment: "the same where what browsers ask about gRPC-Web is gRPC's,",
		Source: `"$request_method $http_access_control_request_headers"`, Name: webContent, Default: "$gw_content"})
	b.entry(`"~*^OPTIONS .*x-grpc-web"`, "grpc", "")
}

// webRule notes what nginx's own answers to the calls of a rule tell browsers.
func (a *actions) webRule(id string, r *model.Rule) error {
	if r.Web == nil {
		return nil
	}
	origin := originVariable(a.blocks.corsID(r.Web))
	if err := a.allowOrigins(r.Web, origin); err != nil {
		return err
	}
	if a.web == nil {
		expose, err := a.blocks.pieces(strings.Join(r.Web.ExposeHeaders, ", "))
		if err != nil {
			return err
		}
		a.web = []*block{
			a.blocks.add(Map{Comment: "The origin that may read what nginx answers calls of gRPC-Web,", Source: "$gw_rule", Name: "gw_web_origin"}),
			a.blocks.add(Map{Comment: "which depends on that.", Source: "$gw_rule", Name: "gw_web_vary"}),
		}
		b := a.blocks.add(Map{Comment: "What it may read.", Source: "$gw_web_origin", Name: "gw_web_expose", Default: expose})
		b.entry(`""`, `""`, "")
	}
	a.web[0].entry(id, "$"+origin, "")
	a.web[1].entry(id, "Origin", "")
	return nil
}

// webLines are directives for calls of a rule, and those for the answers that pages get.
func (a *actions) webLines(r *model.Rule, lines []string) ([]string, error) {
	if r.Web == nil {
		return lines, nil
	}
	answer, err := a.corsAnswer(r.Web, "grpc")
	return append(lines, answer...), err
}
