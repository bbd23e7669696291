// Package graph draws how Gateways, listeners, routes, rules and Services hang together, and what is refused of them, as
// Mermaid or DOT. It is pure and imports controller/translate and runtime/apply, for what can't be rendered.
package graph
