// Package resources holds the snapshot that translation reads, and its loader from YAML and JSON manifests.
//
// The loader answers as an API server would: unknown fields, schemas and CEL rules are checked with the Gateway API's
// own CRDs (folder crds, a copy of the module's experimental channel), and their defaults are set. It imports API
// types, k8s.io/apimachinery and the CRD code of k8s.io/apiextensions-apiserver, controller/referent and
// runtime/beneath.
package resources
