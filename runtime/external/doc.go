// Package external runs generators that are programs of their own (docs/exec-generators.md). It imports generators, the protocol
// and the model.
package external
