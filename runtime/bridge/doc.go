// Package bridge relays gRPC calls and requests of HTTP beside a proxy, for the rules whose policies no proxy can serve: mirrors of
// streams, deadlines of whole calls, retries by gRPC status. It takes HTTP/2 and HTTP/1.1 from the proxy on a unix socket, and what
// to do with a call from one header that the proxy sets. A call is a call to it whatever it comes by and goes out by. It imports generators/relay,
// runtime/bridge/frames, runtime/bridge/http1 and runtime/watch, and knows neither the model nor the API.
package bridge
