// Package test holds what is checked about the whole module: which package may import which. The packages below it
// test the parts together.
package test
