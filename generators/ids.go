package generators

import (
	"crypto/sha256"
	"encoding/hex"
)

// IDs gives texts short names for rendered files: lower-case hexadecimal digits, the same for the same text, others for
// others. A name depends on its text alone, so that a change shows in the files as what it is. The zero value has none yet.
type IDs struct {
	byText map[string]string
	taken  map[string]bool
}

// idDigits are enough that hardly ever two of a hundred thousand texts begin alike.
const idDigits = 10

// Of returns the name of a text. Two texts that would share one get different ones by the order in which they are asked for.
func (ids *IDs) Of(text string) string {
	if id, ok := ids.byText[text]; ok {
		return id
	}
	if ids.byText == nil {
		ids.byText, ids.taken = map[string]string{}, map[string]bool{}
	}
	sum := sha256.Sum256([]byte(text))
	full := hex.EncodeToString(sum[:])
	n := idDigits
	for ids.taken[full[:n]] {
		n++
	}
	ids.byText[text], ids.taken[full[:n]] = full[:n], true
	return full[:n]
}
