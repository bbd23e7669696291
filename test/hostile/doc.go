// Package hostile tries to break the pipeline: random manifests that the CRDs accept, with values made to get out of
// the place where a proxy's configuration has them. Whatever comes, the proxy takes the configuration without a
// word, what isn't served is named in a status, and the order of the input makes no difference (R31, R32).
//
//	go test ./test/hostile -hostile.seeds 2000 -hostile.first 5000 -hostile.every-version
//	go test ./test/hostile -run Legal -hostile.routes 10000
//
// tries more of them, the first with every version of a proxy, the second of routes with sizes near the largest that the API
// has. A failure prints the smallest manifests that still fail.
//
// Beside them stand hostile clients, backends whose answers are orders, and endpoints that lead back here: others lose no call
// by them (R41, R43). It may import everything.
package hostile
