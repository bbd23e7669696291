// Package templates holds the text/template files that the generators render, a file a concern. A folder of
// the same shape overrides them by name (`--templates DIR`). It imports nothing of this module.
package templates
