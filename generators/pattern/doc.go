// Package pattern reads the regular expressions of routes. Their dialect is RE2 (R9); both proxies match with
// PCRE. A Pattern is an expression that means the same in both, with the text that PCRE gets. It
// imports nothing of this module but limits.
package pattern
