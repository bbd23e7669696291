// Package generators is the contract of all generators: what is rendered for nginx and for HAProxy is held to the same
// tests, a row of subjects each. It has tests only; world builds the models. What only one of them does is tested
// beside it.
package generators
