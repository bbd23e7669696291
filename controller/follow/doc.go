// Package follow brings what is to be served to an engine of runtime/serve on every change, and the statuses back: manifests,
// whose statuses go to a file, or a cluster, which gets them itself. It imports controller and its packages, the model,
// runtime/apply, folder, serve and watch, and runtime/proxies for its dry runs.
package follow
