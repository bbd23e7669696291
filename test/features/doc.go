// Package features writes docs/proxies.md: what each version of each proxy serves. What depends on the version
// comes from the capabilities that translation decides by; what depends on the generator is written here, each
// with the reason.
package features
