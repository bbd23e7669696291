// Package generators says what a generator is: the last pure step, from the model to a proxy's files.
// It imports only the model. Each generator is a folder beside this file.
package generators
