// Package model is the contract between translation and the generators: what to serve, with every reference
// resolved and every default filled, in terms that no proxy owns. It is a leaf: it imports nothing of this
// module but generators/pattern.
package model
