// Package haproxy runs the haproxy binary: to find out what it can do, and to let it check a configuration. It
// imports generators/haproxy and the model.
package haproxy
