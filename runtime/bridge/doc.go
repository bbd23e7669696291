// Package bridge relays gRPC calls beside a proxy, for the rules whose policies no proxy can serve: mirrors of streams, deadlines
// of whole calls, retries by gRPC status. It takes HTTP/2 from the proxy on a unix socket, and what to do with a call from one
// header that the proxy sets. It imports runtime/bridge/frames and runtime/watch, and knows neither the model nor the API.
package bridge
