// Package nginx renders a model as configuration files for nginx, without njs or Lua.
//
// Each request walks chained maps, which nginx evaluates only when they are asked: the host finds a scope, the
// scope and the path find a rule, a miss goes on to the next stage and then to the wider scope. The rule finds
// its action: a cluster, or a gRPC status of nginx itself. There is no location for a rule; there is one for
// each distinct set of header changes. So the cost of a call doesn't grow with the number of rules.
//
// Requests of HTTPRoutes go the same way: their paths are matched as they came, and one that is ambiguous finds no rule.
// What nginx can't do of an HTTPRoute: a timeout begins anew with each part of an answer, so it bounds the wait for the
// headers and gaps in the body, not the whole; an attempt that may follow another one begins within the request's time.
// Without a retry policy a request without a body whose method may be repeated (GET, HEAD, OPTIONS, PUT, DELETE) is sent
// again when its connection breaks before the answer; one with a body isn't. With one, bodies are read whole first, and
// connections that fail and time out count as well as the codes. An answer that isn't HTTP at all reaches a client of
// HTTP/1.1 as it is, as one of HTTP/0.9. A request that nginx can't read, before it has the host, is answered by the kind
// of the port.
//
// It imports generators, answers, limits, model, matching, pattern and templates, and is pure.
package nginx
