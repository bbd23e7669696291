package model

import "regexp"

// AmbiguousPath is a regular expression, the same to RE2 and PCRE, that finds what makes a path one that another reader
// could take for another path (R36): what no request line may have, "//", "\", "#", a "%" that begins no code, codes of
// control characters, letters, digits, "-", ".", "_" and "\", and segments "." and "..", also beside "%2F" or before ";".
// "%2F" and the codes of all other characters stay data.
const AmbiguousPath = `[^\x21-\x7e]|[#\\]|//|` +
	`%(?:[^0-9A-Fa-f]|[0-9A-Fa-f](?:[^0-9A-Fa-f]|$)|$)|` +
	`%(?:[01][0-9A-Fa-f]|2[DdEe]|3[0-9]|[46][1-9A-Fa-f]|5[0-9AaCcFf]|7[0-9AaFf])|` +
	`(?:/|%2[Ff])\.\.?(?:[/;]|%2[Ff]|%3[Bb]|$)|^[^/]|^$`

// OrdinaryPath is a regular expression, the same to RE2 and PCRE, for most paths that aren't ambiguous: it is soon asked.
const OrdinaryPath = `\A/(?:[A-Za-z0-9_~-][A-Za-z0-9._~-]*/)*(?:[A-Za-z0-9_~-][A-Za-z0-9._~-]*)?\z`

var ambiguousPath = regexp.MustCompile(AmbiguousPath)

// Ambiguous says whether a path, without its query, is one that an HTTPRoute's requests are refused for: 400.
func Ambiguous(path string) bool { return ambiguousPath.MatchString(path) }
