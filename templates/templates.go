package templates

import "embed"

// FS holds the built-in templates: a folder for each proxy.
//
//go:embed nginx
var FS embed.FS
