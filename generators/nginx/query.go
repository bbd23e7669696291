package nginx

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/gatewright/gatewright/generators/limits"
	"github.com/gatewright/gatewright/generators/matching"
	"github.com/gatewright/gatewright/generators/pattern"
)

// nginx decodes no query parameters, and its own variables for them take names without regard to case. So each one that is
// matched has a map that finds its value as it came. Few values are encoded: the others are compared as they are.

// queryParameter writes the map with the value of a query parameter as it came: the first one's, if there are several.
func queryParameter(c *column, bs *blocks) error {
	_, name, _ := strings.Cut(c.what, " ")
	token, err := Regex(`(?:^|&)` + regexp.QuoteMeta(name) + `(?:=([^&]*))?(?:&|\z)`)
	if err != nil {
		return fmt.Errorf("query parameter %.60q: %w", name, err)
	}
	b := bs.add(Map{Comment: "A query parameter.", Source: "$gw_query", Name: c.raw})
	b.entry(token, "$1", "")
	return nil
}

// encodable says why a condition can't be met by a query parameter as it comes.
func encodable(c *matching.Condition) error {
	if c.Subject != matching.SubjectQuery {
		return nil
	}
	text := ""
	if c.Regex == nil {
		text = pattern.EncodedText(c.Value)
	} else {
		var err error
		if text, _, err = valueOf(c); err != nil {
			return err
		}
	}
	if n := tokenBytes(text) + limits.AroundPattern; n > tokenLimit {
		return fmt.Errorf("query parameter %q: %w", c.Name, &TooLongError{n})
	}
	return nil
}

// encoded writes the maps that find the id of an encoded value, and returns the name for the one for all others: a
// value that is written with codes is another text than what it stands for.
func (c *column) encoded(bs *blocks) (plain string, err error) {
	plain = c.id + "_plain"
	either := bs.add(Map{Comment: "The id of its value, which may be encoded.", Source: "$" + c.raw, Name: c.id, Default: "$" + plain})
	either.entry(`"~[%+]"`, "$"+c.id+"_encoded", "")
	b := bs.add(Map{Comment: "That of an encoded one.", Source: "$" + c.raw, Name: c.id + "_encoded"})
	for _, v := range c.values {
		token, err := Regex(`^` + pattern.EncodedText(v) + `\z`)
		if err != nil {
			return "", fmt.Errorf("%s %.60q: %w", c.what, v, err)
		}
		b.entry(token, c.ids.Of(v), "")
	}
	return plain, nil
}
