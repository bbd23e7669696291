package templates

import "embed"

// FS holds the built-in templates: a folder for each proxy.
//
//go:embed haproxy nginx
var FS embed.FS
