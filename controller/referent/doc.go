// Package referent says which object a reference of the Gateway API names, with what may be left out of it filled in. Every
// package that follows references asks it, so that none takes for somebody's what another one doesn't. Whether there is such
// an object, and whether a ReferenceGrant lets it be referred to, is for translation. It is pure and imports API types only.
package referent
