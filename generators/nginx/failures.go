package nginx

// Failure is what nginx answers a call with when it fails by itself (R18): the HTTP statuses that end in one
// gRPC status. Its message may hold variables.
type Failure struct {
	// Statuses are HTTP statuses, and nginx's own codes from 494 to 497.
	Statuses string
	// Name is the location's.
	Name    string
	Code    int
	Message string
}

// failures are all that nginx answers by itself. Only 421 stays as it is: it says that the connection was the
// wrong one (R7). The codes of the first group are those that gRPC gives to these HTTP statuses.
var failures = []Failure{
	{"400 411 412 416 495 496 497", "internal", 13, "nginx can't read the request"},
	{"401", "unauthenticated", 16, "nginx asks for authentication"},
	{"403", "denied", 7, "nginx denies the request"},
	{"404 405 501", "unimplemented", 12, "nginx doesn't serve this path or method"},
	{"408", "slow", 4, "the request came too slowly"},
	{"413 414 431 494", "large", 8, "the request is too large"},
	{"429", "limited", 8, "too many requests"},
	{"500 505 507", "failed", 13, "$gw_route: nginx failed; see its error log"},
	{"502 503", "unavailable", 14, "$gw_route: no endpoint of $gw_backend took the call"},
	{"504", "timeout", 4, "$gw_route: $gw_backend took too long"},
}
