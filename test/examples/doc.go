// Package examples tests deploy/examples: `gatewright run` serves each with real servers behind it, and the calls that are beside it are made
// as their commands say.
package examples
