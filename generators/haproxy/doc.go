// Package haproxy renders a model as configuration files for HAProxy, without Lua.
//
// Map files carry the routing: the host finds a scope, the scope and the path find a target, a miss goes on to
// the next stage and then to the parent scope. A target is a backend section, a key into a table of weights,
// or a gRPC status. The number of lines that a call runs through depends on the kinds of matches in use, not
// on the number of rules.
//
// It imports generators, answers, limits, model, matching, pattern and templates, and is pure.
package haproxy
