// Package crds has the CustomResourceDefinitions of this project, as a cluster gets them.
package crds

import "embed"

// FS holds a file for each kind, named by its group and plural.
//
//go:embed *.yaml
var FS embed.FS
