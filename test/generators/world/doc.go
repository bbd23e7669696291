// Package world builds models with gRPC servers behind them, and renders and runs them, for the tests of the generators:
// test/generators, and those of what one generator alone does. It may import everything but them.
package world
