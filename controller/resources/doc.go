// Package resources holds the snapshot that translation reads, and its loader from YAML. It imports API types
// only.
package resources
