// Package http1 is one side of an HTTP/1.1 connection, told and asked as runtime/bridge/frames' are: one exchange at a time is a
// stream, its head is fields as HTTP/2 has them. It reads strictly: what two readers could take for different messages ends the
// connection. It imports runtime/bridge/frames.
package http1
