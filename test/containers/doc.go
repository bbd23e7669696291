// Package containers runs gatewright beside real proxies as containers of a pod do: in process namespaces that are shared or not, as
// users that are the same or not, with files that only one of them may write, and as a container's first process.
package containers
