// Package proxies is the list of the kinds of proxies, and what starts, joins or only asks one of them: whoever serves takes a
// Kind from here and knows no proxy by name. It imports generators, runtime/apply, and the packages of each proxy.
package proxies
