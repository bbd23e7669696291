// Package nginx runs the nginx binary: to find out what it can do, to let it check a configuration, to serve one and to reload
// it. It imports generators/nginx, the model, runtime/apply, runtime/marker and runtime/process.
package nginx
