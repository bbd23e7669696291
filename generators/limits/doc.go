// Package limits is the one table of what a call and a connection may cost: streams, sizes and numbers of headers,
// buffers. The values hang together, so they stand together, each with its reason; both generators render them and
// docs/limits.md tells them. It is a leaf: it imports nothing of this module.
package limits
