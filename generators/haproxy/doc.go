// Package haproxy renders a model as configuration files for HAProxy, without Lua.
//
// Map files carry the routing: the host finds a scope, the scope and the path find a target, a miss goes on to
// the next stage and then to the parent scope. A target is a backend section, a key into a table of weights,
// or a gRPC status. The number of lines that a call runs through depends on the kinds of matches in use, not
// on the number of rules.
//
// Requests of HTTPRoutes run through the same frontends behind what is for calls: a call is done before the first line that is
// theirs. The longest prefix is one lookup, and what a rule does to a request stands in its target, so that redirects,
// rewrites, CORS and timeouts come and change without a reload.
//
// What HAProxy can't do for HTTPRoutes: a timeout is how long a server may be silent, for each attempt, and connecting isn't in
// it; attempts follow each other at once, and bodies that don't fit in a buffer aren't sent again; header changes and retries
// need sections of their own.
//
// It imports generators, answers, limits, model, matching, pattern and templates, and is pure.
package haproxy
