package translate

import (
	"bytes"
	"encoding/pem"
	"fmt"
	"regexp"
	"strings"
)

// pemBlock is one block of a PEM text and the line, from 1, in which it begins.
type pemBlock struct {
	*pem.Block
	line int
}

// encrypted says that a passphrase is needed to read the block.
func (b *pemBlock) encrypted() bool {
	return b.Type == "ENCRYPTED PRIVATE KEY" || strings.Contains(b.Headers["Proc-Type"], "ENCRYPTED")
}

var (
	// pemMarker is what begins or ends a block, wherever it stands.
	pemMarker = regexp.MustCompile(`-----(BEGIN|END) ([A-Za-z0-9 #.+_]{1,64})-----`)
	// brokenMarker is a line that was meant as one, and looseData the first one of a block that has none: of all DER
	// structures of such a length.
	brokenMarker = regexp.MustCompile(`(?i)--\s*(BEGIN|END)\s[^\n]*(CERTIFICATE|KEY|PKCS7)|(BEGIN|END)\s[^\n]*(CERTIFICATE|KEY|PKCS7)\s*--`)
	looseData    = regexp.MustCompile(`(?m)^\s*MI[A-Za-z0-9+/]{38}`)
)

// readPEM reads all blocks of a PEM text. Go's own reader passes over what it can't read, and OpenSSL's ends there: with
// either, a chain may lose certificates without a word. Here each block is read or the error says which one can't be.
// Blocks may follow each other without a newline, and any other text may stand between them.
func readPEM(text []byte) ([]pemBlock, error) {
	line := func(at int) int { return 1 + bytes.Count(text[:at], []byte("\n")) }
	var out []pemBlock
	outside := 0 // where the text after the last block begins
	markers := pemMarker.FindAllSubmatchIndex(text, -1)
	for i := 0; i < len(markers); i += 2 {
		begin := markers[i]
		label := string(text[begin[4]:begin[5]])
		if err := noBlock(text[outside:begin[0]], line(outside)); err != nil {
			return nil, err
		}
		if kind := string(text[begin[2]:begin[3]]); kind != "BEGIN" {
			return nil, fmt.Errorf("line %d ends a block %q that hasn't begun", line(begin[0]), label)
		}
		if i+1 == len(markers) || !bytes.Equal(text[markers[i+1][2]:markers[i+1][5]], []byte("END "+label)) {
			return nil, fmt.Errorf("the block %q that begins in line %d doesn't end", label, line(begin[0]))
		}
		end := markers[i+1]
		block, _ := pem.Decode(fmt.Appendf(nil, "-----BEGIN %s-----\n%s\n-----END %[1]s-----\n", label,
			bytes.Trim(text[begin[1]:end[0]], "\r\n")))
		if block == nil {
			return nil, fmt.Errorf("the block %q that begins in line %d isn't base64", label, line(begin[0]))
		}
		out = append(out, pemBlock{block, line(begin[0])})
		outside = end[1]
	}
	return out, noBlock(text[outside:], line(outside))
}

// noBlock makes sure that text which begins in a line and stands in no block was never meant to be one.
func noBlock(text []byte, line int) error {
	for _, meant := range []*regexp.Regexp{brokenMarker, looseData} {
		if at := meant.FindIndex(text); at != nil {
			return fmt.Errorf("line %d looks like a part of a block, and no BEGIN and END that can be read are around it",
				line+bytes.Count(text[:at[0]], []byte("\n")))
		}
	}
	return nil
}
