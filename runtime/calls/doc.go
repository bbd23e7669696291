// Package calls hears of every call that a proxy has answered, counts it, and writes the access log.
//
// The proxy sends a line for each call to a socket of this program (generators.AccessTold): never waiting for it, so that neither a
// program that is gone nor a full disk holds a call up. What doesn't arrive isn't counted; the kernel says how many lines that are, as
// long as the program lives. A line's token says that it is the proxy's: the socket is one of the loopback address, where everybody on the
// host may send.
//
// Labels are bounded: clients choose methods, and those that nobody serves are one.
package calls
