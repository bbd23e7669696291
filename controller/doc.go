// Package controller brings a cluster to the pipeline and the pipeline's statuses back to the cluster: it watches what
// translation reads, says when something that matters has changed, takes snapshots, and writes statuses while it
// is the leader. It knows no proxy: whoever uses it says what the proxy can do and what it has confirmed. It imports
// controller/referent, controller/resources, controller/status and controller/translate.
package controller
