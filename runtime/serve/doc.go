// Package serve brings one configuration after the other to a proxy until a signal ends it: an Engine runs or joins a proxy
// and is given models, a Sidecar is given files of any origin, an Entry starts
// a team's own proxy command with them. A Service beside them answers over HTTP how things are. Where
// models come from, and what becomes of statuses, is for others to say. It imports generators, the model, runtime/apply and
// runtime/proxies, and what they need of files and processes.
package serve
