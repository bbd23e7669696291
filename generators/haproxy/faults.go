package haproxy

import "github.com/gatewright/gatewright/generators/model"

// leastconn is why some versions get another way to balance.
var leastconn = model.Fault{
	Versions: []model.VersionRange{
		{From: model.Version{Major: 3, Minor: 2, Patch: 6}, Fixed: model.Version{Major: 3, Minor: 2, Patch: 19}},
		{From: model.Version{Major: 3, Minor: 3}, Fixed: model.Version{Major: 3, Minor: 4}},
	},
	What:  "leastconn puts a server in a wrong place of its lists when it is added while HAProxy runs, which ends HAProxy",
	Means: "roundrobin is rendered instead where endpoints change without a reload",
}

// MalformedAnswers is what endpoints can do to old versions: tests ask those for nothing of the kind.
var MalformedAnswers = model.Fault{
	Versions: []model.VersionRange{{From: oldest, Fixed: model.Version{Major: 3, Minor: 0}}},
	What: "malformed answers of endpoints, such as a message before any headers, may end HAProxy by a segmentation fault (seen on " +
		"2.6.12 of Debian 12, not on 3.0.11)",
	Means: "such an endpoint takes all calls with it: use 3.0 or later where endpoints aren't trusted",
}

// FullStatus is what endpoints can do to new versions: tests ask those for nothing of the kind.
var FullStatus = model.Fault{
	Versions: []model.VersionRange{{From: model.Version{Major: 3, Minor: 4}}},
	What:     "a status alone whose headers fit tune.bufsize but not what tune.maxrewrite leaves of it ends HAProxy (seen on 3.4.7)",
	Means: "an endpoint that answers with 96 to 128 kB of headers takes all calls with it: don't use this version where endpoints " +
		"aren't trusted",
}

// CutAnswers is what old versions don't tell clients: tests expect no more of those.
var CutAnswers = model.Fault{
	Versions: []model.VersionRange{{From: oldest, Fixed: model.Version{Major: 3, Minor: 0}}},
	What:     "an HTTP/2 client isn't told that an endpoint broke off the body of an answer that is HTTP (seen on 2.6.12)",
	Means:    "use 3.0 or later where HTTPRoutes' clients speak HTTP/2 and check no lengths",
}

// Faults are what versions of HAProxy are known to do wrong, from its change logs and from tests.
var Faults = []model.Fault{
	leastconn,
	{
		Versions: []model.VersionRange{{From: oldest}},
		What:     "an answer whose headers are malformed, or more than HAProxy takes, is reset towards the endpoint and not towards the client",
		Means:    "such a call ends at the client's own deadline, where a message follows in the same packet",
	},
	FullStatus,
	MalformedAnswers,
	CutAnswers,
	{
		Versions: []model.VersionRange{{From: oldest, Fixed: model.Version{Major: 3, Minor: 0}}},
		What:     "HPACK's CVE-2026-55204, CVE-2026-110353 (an HTTP/2 preface behind a first request) and commas in :authority aren't fixed",
		Means:    "use 3.0 or later where clients aren't trusted",
	},
}
