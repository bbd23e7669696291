// Package health asks endpoints how they are, as the health checks of a model say, and leaves those out of it that aren't well. It
// imports the model.
package health
