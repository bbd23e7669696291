// Package endpoints answers nginx, by DNS, where the endpoints of clusters are, so that they change without a
// reload. nginx 1.27.3 and later asks for a name that generators/nginx has put in its files (EndpointsName)
// again and again; a question of a worker that knows the answer waits until there is another one.
//
// nginx asks for SRV records. There is one for each port of a cluster, and its target stands for a set of
// addresses: it is named after them, so what nginx has learnt of a target is true for ever, also when gatewright
// was started again. A changed set is another target. What was told last is kept in the state folder, for an nginx that
// starts while gatewright can't know the endpoints yet. So is which master has learnt endpoints once: one that was started
// while nobody answered asks again only after five seconds, and gets a reload instead.
//
// A new cluster's endpoints are in nginx's files until it has learnt them, so that one reload serves it; another one,
// when nothing changes for a moment, leaves them to the answers.
//
// What is answered and when is decided in book.go, without sockets or clocks. The package imports
// generators/model, generators/nginx, runtime/apply and runtime/folder.
package endpoints
