// Package features writes docs/proxies.md: what each version of each proxy serves. What translation decides is
// asked of it, with a configuration for each field; what the proxies and the generators come to besides is
// written here, each with the reason.
package features
