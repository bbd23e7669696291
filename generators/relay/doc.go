// Package relay says what a bridge beside a proxy does with calls: the shape of its configuration, and what a model comes to in it.
// It imports the model.
package relay
