// Package pipeline takes manifests to what is served of them: it reads them, adds what only a cluster has, translates and
// renders, and says what isn't served and why. It imports controller/resources, translate, status and outcome, generators,
// the model and runtime/apply.
package pipeline
