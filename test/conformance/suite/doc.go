// Package suite is the official conformance suite of the Gateway API, as a module of its own for what it
// requires. test/conformance runs it.
package suite
