package nginx

import "github.com/gatewright/gatewright/generators/model"

// Faults are what versions of nginx are known to do wrong, from its change logs and from tests.
var Faults = []model.Fault{
	{
		Versions: []model.VersionRange{
			{From: oldest, Fixed: model.Version{Major: 1, Minor: 30, Patch: 7}},
			{From: model.Version{Major: 1, Minor: 31}},
		},
		What: "CVE-2026-123634 (the resolver), CVE-2026-123633 (HTTP/2 connections that are used again while they have streams) and " +
			"CVE-2026-123007 (HTTP/2 flow control)",
		Means: "endpoints that change without a reload lean on the resolver: prefer 1.30.7",
	},
	{
		Versions: []model.VersionRange{{From: oldest, Fixed: model.Version{Major: 1, Minor: 30, Patch: 6}}},
		What:     "CVE-2026-93479 (evaluation of strings)",
		Means:    "every call is routed by strings that are evaluated: prefer 1.30.7",
	},
	{
		Versions: []model.VersionRange{
			{From: oldest, Fixed: model.Version{Major: 1, Minor: 30, Patch: 4}},
			{From: model.Version{Major: 1, Minor: 31}, Fixed: model.Version{Major: 1, Minor: 31, Patch: 3}},
		},
		What:  "CVE-2026-42533 (a capture before a variable whose map has an expression, in one string)",
		Means: "no such string is rendered; look for them in your own files",
	},
	{
		Versions: []model.VersionRange{{From: oldest, Fixed: model.Version{Major: 1, Minor: 31, Patch: 2}}},
		What:     "CVE-2026-42055 (grpc_pass with ignore_invalid_headers off and fields over 2 MB)",
		Means:    "large_client_header_buffers is far smaller here, so it isn't reached; keep it small in an http{} of your own",
	},
	{
		Versions: []model.VersionRange{{From: oldest}},
		What: "an HTTPRoute's request without a body that may be repeated (GET, HEAD, OPTIONS, PUT, DELETE) is sent again when its connection " +
			"breaks before the answer",
		Means: "an endpoint may run it twice, as RFC 9110 allows; `retry: {attempts: 0}` on the rule turns that off, and the next endpoint too " +
			"where one refuses",
	},
	{
		Versions: []model.VersionRange{{From: oldest, Fixed: model.Version{Major: 1, Minor: 29}}},
		What:     "an informational answer (103) of an endpoint is taken for a malformed one",
		Means:    "such a call is INTERNAL",
	},
}
