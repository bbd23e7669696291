package nginx

import (
	"fmt"
	"strconv"
	"strings"
)

// bodyLimit bounds the bodies of requests that go to an upstream: lines for its locations. nginx compares what a client announces with
// the limit of the first location that a request comes to, and not of a named one, so that this is done here.
func (a *actions) bodyLimit(u *Upstream) ([]string, error) {
	if u.MaxRequestBytes == 0 {
		return nil, nil
	}
	name := fmt.Sprintf("gw_longer_%d", u.MaxRequestBytes)
	if !a.limited[name] {
		a.limited[name] = true
		token, err := Regex(longer(u.MaxRequestBytes))
		if err != nil {
			return nil, err
		}
		a.blocks.add(Map{Comment: "Whether a body is announced that is too long.", Source: "$content_length", Name: name}).entry(token, "1", "")
	}
	return []string{fmt.Sprintf("client_max_body_size %d;", u.MaxRequestBytes), "if ($" + name + ") { return 413; }"}, nil
}

// longer is a regular expression for the decimal numbers above n, which is at least 1.
func longer(n int64) string {
	digits := strconv.FormatInt(n, 10)
	list := []string{fmt.Sprintf("[1-9][0-9]{%d,}", len(digits))}
	for i := range len(digits) {
		if digits[i] < '9' {
			list = append(list, fmt.Sprintf("%s[%c-9][0-9]{%d}", digits[:i], digits[i]+1, len(digits)-i-1))
		}
	}
	return `^0*(?:` + strings.Join(list, "|") + `)\z`
}
