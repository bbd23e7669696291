package answers

import "github.com/gatewright/gatewright/generators/model"

// HTTP is what a proxy answers a request of HTTPRoutes by itself: a status, and a line of text that says why.
type HTTP struct {
	Status int
	Text   string
}

// What requests of HTTPRoutes get whichever rule they are for.
var (
	// HTTPNoRule answers a request that no rule matches (R13).
	HTTPNoRule = HTTP{404, "no HTTPRoute rule matches"}
	// HTTPAmbiguous answers a path that another reader could take for another one (R36): see model.Ambiguous.
	HTTPAmbiguous = HTTP{400, "the path can be read as another path too"}
	// HTTPHostless answers a request without a host that is to be sent elsewhere: browsers take "http:///a/b" for "http://a/b".
	HTTPHostless = HTTP{400, "there is no host to send the request to"}
	// HTTPLoop answers a request that has been here before.
	HTTPLoop = HTTP{508, Loop.Message}
)

// HTTPOf is a status as requests of HTTPRoutes get it.
func HTTPOf(s model.Status) HTTP { return HTTP{s.HTTPStatus(), s.Message} }
