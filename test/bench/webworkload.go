package main

import (
	"fmt"

	"github.com/gatewright/gatewright/test/harness"
)

// webWorkload is what workload is, of HTTPRoutes. Of ten rules five name a whole path, one of these with a header filter, and
// one with a method; two have a prefix, which two segments follow in requests; one has a header condition, one a query parameter,
// and one, in every tenth route, a regular expression, else a prefix of one segment.
func webWorkload(rules, services int) string {
	return routes("HTTPRoute", rules, services, webRule)
}

// webRule is the j-th rule of the i-th route.
func webRule(i, j, services int) string {
	match := fmt.Sprintf("path: {type: Exact, value: %s}", webPath(i, j))
	filter := ""
	switch j {
	case 3:
		match += ", method: GET"
	case 4:
		filter = "    filters:\n    - {type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: x-team, value: \"" + host(i) + "\"}]}}\n"
	case 5, 6:
		match = fmt.Sprintf("path: {value: %s}", webPath(i, j))
	case 7:
		match += ", headers: [{name: x-env, value: canary}]"
	case 8:
		match += ", queryParams: [{name: env, value: canary}]"
	case 9:
		match = fmt.Sprintf("path: {value: /only%d}", i)
		if i%10 == 0 {
			match = fmt.Sprintf(`path: {type: RegularExpression, value: '/regex%d/[a-z]+'}`, i)
		}
	}
	return fmt.Sprintf("  - matches: [{%s}]\n%s    backendRefs: [{name: %s, port: 50051}]\n", match, filter,
		backend(i*rulesOfRoute+j, services))
}

func webPath(i, j int) string { return fmt.Sprintf("/api/team%d/v1/service%d/item%d", i%97, i, j) }

// webRequest is a request to a rule, in all but the address and the version.
func webRequest(rule int) harness.HTTPRequest {
	i, j := rule/rulesOfRoute, rule%rulesOfRoute
	r := harness.HTTPRequest{Host: host(i), Target: webPath(i, j)}
	switch j {
	case 5, 6:
		r.Target += "/of/it"
	case 7:
		r.Headers = harness.Fields{"x-env", "canary"}
	case 8:
		r.Target += "?page=2&env=canary"
	case 9:
		r.Target = fmt.Sprintf("/only%d/it", i)
		if i%10 == 0 {
			r.Target = fmt.Sprintf("/regex%d/it", i)
		}
	}
	return r
}
