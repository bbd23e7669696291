// Package exchange holds the tests of the protocol of generators that are programs of their own, and an example of one.
package exchange
