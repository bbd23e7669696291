package resources

import (
	"fmt"
	"strings"
)

// Problem is one thing in the input that an API server would refuse, or that can't be read at all.
type Problem struct {
	// Source is the file's name as it was given or found, "stdin" for "-".
	Source string
	// Document counts the file's documents that hold anything, from 1. 0: the problem is the file's.
	Document int
	// Line is where the problem is, from 1. 0: not known.
	Line int
	// Object is "Kind namespace/name", or less where less is known.
	Object string
	// Field is the path of the field, as in "spec.rules[0].matches".
	Field string
	// Text says what is wrong and what to do.
	Text string
}

// String gives "FILE document N line L: Kind namespace/name: field: text", without the parts that aren't known.
func (p Problem) String() string {
	parts := []string{place(p.Source, p.Document, p.Line)}
	for _, s := range []string{p.Object, p.Field, p.Text} {
		if s != "" {
			parts = append(parts, s)
		}
	}
	return strings.Join(parts, ": ")
}

// Problems is the error that Load returns: every problem of the input, in the order of files and documents.
type Problems []Problem

// Error gives one line for each problem.
func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i := range p {
		lines[i] = p[i].String()
	}
	return strings.Join(lines, "\n")
}

// Note is something that a person should know and that isn't an error, such as a deprecated version that was accepted
// or a kind that was ignored.
type Note struct {
	// Source is the place the note is about: a file, or "FILE document N line L"; empty when it is about all input.
	Source string
	// Object is "Kind namespace/name", or a kind alone; may be empty.
	Object string
	Text   string
}

// String gives "source: object: text", without the parts that are empty.
func (n Note) String() string {
	var parts []string
	for _, s := range []string{n.Source, n.Object, n.Text} {
		if s != "" {
			parts = append(parts, s)
		}
	}
	return strings.Join(parts, ": ")
}

func place(source string, document, line int) string {
	if document > 0 {
		source += fmt.Sprintf(" document %d", document)
	}
	if line > 0 {
		source += fmt.Sprintf(" line %d", line)
	}
	return source
}
