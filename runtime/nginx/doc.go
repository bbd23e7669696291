// Package nginx runs the nginx binary: to find out what it can do, and to let it check a configuration. It
// imports generators/nginx and the model.
package nginx
