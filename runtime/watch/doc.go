// Package watch tells when files and folders have changed, however that is done: written in place, renamed over,
// or by a symbolic link that is switched, as Kubernetes does with ConfigMaps and git-sync with its checkouts. It
// imports nothing of this module.
package watch
