// Package translate turns a snapshot of resources into what a proxy is to serve, and the status that every
// resource gets for it. It is pure: no context, clock, client or logger; the result depends on the snapshot's
// objects only, not on their order. A Translator remembers what objects came to, and takes them for what they were as long
// as they are the same in memory: nobody may change one. It may import the model, patterns, limits, referent, resources and status.
package translate
