// Package isolated gives a test program a network namespace of its own: any address and port is free in it,
// nothing gets out, and nothing that the program started outlives it. It imports nothing of this module.
package isolated
