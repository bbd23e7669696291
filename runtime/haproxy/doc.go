// Package haproxy runs the haproxy binary: to find out what it can do, to let it check a configuration, to serve one,
// and to change what is served with as few reloads as possible. It imports generators/haproxy, the model,
// runtime/apply and runtime/process.
package haproxy
