// Package frames is one side of an HTTP/2 connection, at the level of frames: streams with flow control hop by hop, one
// goroutine that reads and one that writes. It knows neither gRPC nor where a stream leads. What a peer can make it hold is
// bounded: windows are given back as bytes are written on, and floods end the connection. It imports nothing of this module.
package frames
