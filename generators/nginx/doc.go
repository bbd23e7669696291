// Package nginx renders a model as configuration files for nginx, without njs or Lua.
//
// Each request walks chained maps, which nginx evaluates only when they are asked: the host finds a scope, the
// scope and the path find a rule, a miss goes on to the next stage and then to the wider scope. The rule finds
// its action: a cluster, or a gRPC status of nginx itself. There is no location for a rule; there is one for
// each distinct set of header changes. So the cost of a call doesn't grow with the number of rules.
//
// It imports generators, answers, limits, model, matching, pattern and templates, and is pure.
package nginx
