package http1

import (
	"strings"

	"golang.org/x/net/http/httpguts"
)

// These say what may stand in the first line of a message and in Host. HTTP/2 lets more through.

// ValidMethod says whether a method is one.
func ValidMethod(method string) bool { return httpguts.ValidHeaderFieldName(method) }

// ValidPath says whether a target is a path, or the asterisk of OPTIONS.
func ValidPath(method, path string) bool {
	if path == "*" {
		return method == "OPTIONS"
	}
	return strings.HasPrefix(path, "/") && visible(path)
}

// ValidAuthority says whether a host may stand in Host; "" may.
func ValidAuthority(host string) bool { return visible(host) && !strings.ContainsAny(host, "/?#,\\@") }

// ValidStatus says whether a status is one.
func ValidStatus(status string) bool {
	if len(status) != 3 || status[0] < '1' {
		return false
	}
	for i := range len(status) {
		if status[i] < '0' || status[i] > '9' {
			return false
		}
	}
	return true
}

// ValidLength says whether a Content-Length is one.
func ValidLength(value string) bool {
	if len(value) == 0 || len(value) > maxLengthDigits {
		return false
	}
	for i := range len(value) {
		if value[i] < '0' || value[i] > '9' {
			return false
		}
	}
	return true
}

// maxLengthDigits keeps a length within 64 bits.
const maxLengthDigits = 18

// visible says that there is no space and no control character.
func visible(text string) bool {
	for i := range len(text) {
		if text[i] <= ' ' || text[i] == 0x7f {
			return false
		}
	}
	return true
}
