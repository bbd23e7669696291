package folder

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gatewright/gatewright/generators"
)

// Diff says how dir differs from what Write would make of it, as a unified diff that a person reads: "" when it
// doesn't. Permissions don't count, for a repository doesn't keep them, nor does what others put into dir. Of
// files with private keys it says only that they differ.
func Diff(dir string, files []generators.File) (string, error) {
	dir, err := resolve(dir)
	if err != nil {
		return "", err
	}
	info, err := os.Stat(dir)
	if err == nil && !info.IsDir() {
		return "", fmt.Errorf("output folder %s: it is a file: name a folder", dir)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("output folder %s: %w", dir, err)
	}
	written, err := readManifest(dir)
	if err != nil {
		return "", err
	}
	files = slices.Clone(files)
	generators.Sort(files)
	var out strings.Builder
	var stamped []string
	names := map[string]bool{}
	for _, f := range files {
		names[f.Path] = true
		old, err := os.ReadFile(filepath.Join(dir, f.Path))
		missing := errors.Is(err, fs.ErrNotExist)
		if err != nil && !missing {
			return "", fmt.Errorf("output folder: %w", err)
		}
		switch {
		case !missing && string(old) == string(f.Data):
		case f.Secret && missing:
			fmt.Fprintf(&out, "%s is missing (it holds a private key and is not shown)\n", f.Path)
		case f.Secret:
			fmt.Fprintf(&out, "%s differs (it holds a private key and is not shown)\n", f.Path)
		case !missing && unstamped(string(old)) == unstamped(string(f.Data)):
			stamped = append(stamped, f.Path)
		default:
			from := f.Path
			if missing {
				from = ""
			}
			unified(&out, from, f.Path, string(old), string(f.Data))
		}
	}
	extra := make([]string, 0, len(written))
	for name := range written {
		if !names[name] && name != Manifest {
			extra = append(extra, name)
		}
	}
	slices.Sort(extra)
	for _, name := range extra {
		// It may have been a secret, so its text is not shown.
		if _, err := os.Lstat(filepath.Join(dir, name)); err == nil {
			fmt.Fprintf(&out, "%s would be removed\n", name)
		}
	}
	if len(stamped) > 0 {
		fmt.Fprintf(&out, "Only the generation differs in %s\n", strings.Join(stamped, ", "))
	}
	return out.String(), nil
}

// stamp begins the line with which a rendered file names the generation of all: it changes with any of them.
const stamp = "# Generation "

// unstamped is a text without its first such line.
func unstamped(text string) string {
	before, rest, found := strings.Cut(text, stamp)
	if !found || before != "" && !strings.HasSuffix(before, "\n") {
		return text
	}
	_, after, _ := strings.Cut(rest, "\n")
	return before + after
}

// context is how many equal lines stand around a difference.
const context = 3

// edit is one line of a comparison: equal ' ', removed '-' or added '+'.
type edit struct {
	sign byte
	line string
}

// unified writes a diff of two texts; an empty name stands for a file that isn't there.
func unified(out *strings.Builder, oldName, newName, oldText, newText string) {
	name := func(side, path string) string {
		if path == "" {
			return "/dev/null"
		}
		return side + "/" + path
	}
	fmt.Fprintf(out, "--- %s\n+++ %s\n", name("a", oldName), name("b", newName))
	edits := compare(nil, lines(oldText), lines(newText))
	oldLine, newLine := 1, 1 // of edits[i]
	for i := 0; i < len(edits); {
		if edits[i].sign == ' ' {
			i, oldLine, newLine = i+1, oldLine+1, newLine+1
			continue
		}
		start, end := max(0, i-context), hunkEnd(edits, i)
		before := i - start
		var hunk strings.Builder
		oldCount, newCount := 0, 0
		for _, e := range edits[start:end] {
			if e.sign != '+' {
				oldCount++
			}
			if e.sign != '-' {
				newCount++
			}
			hunk.WriteByte(e.sign)
			hunk.WriteString(e.line)
			if !strings.HasSuffix(e.line, "\n") {
				hunk.WriteString("\n\\ No newline at end of file\n")
			}
		}
		fmt.Fprintf(out, "@@ -%s +%s @@\n%s", span(oldLine-before, oldCount), span(newLine-before, newCount), hunk.String())
		oldLine, newLine, i = oldLine-before+oldCount, newLine-before+newCount, end
	}
}

// hunkEnd returns where the hunk with the difference at i ends: after the context that follows its last one.
func hunkEnd(edits []edit, i int) int {
	last := i
	for j := i; j < len(edits) && j-last <= 2*context; j++ {
		if edits[j].sign != ' ' {
			last = j
		}
	}
	return min(len(edits), last+1+context)
}

// span is a range of lines as a hunk's head names it: an empty one is named by the line before it.
func span(first, count int) string {
	if count == 0 {
		first--
	}
	return fmt.Sprintf("%d,%d", first, count)
}

func lines(text string) []string {
	return slices.Collect(strings.Lines(text))
}

// compare appends the edits that lead from a to b. What begins and ends alike is equal; between, the lines that
// occur once on each side are the fixed points, and the parts between those are compared again.
func compare(edits []edit, a, b []string) []edit {
	head := 0
	for head < len(a) && head < len(b) && a[head] == b[head] {
		edits = append(edits, edit{' ', a[head]})
		head++
	}
	a, b = a[head:], b[head:]
	tail := 0
	for tail < len(a) && tail < len(b) && a[len(a)-1-tail] == b[len(b)-1-tail] {
		tail++
	}
	equal := a[len(a)-tail:]
	a, b = a[:len(a)-tail], b[:len(b)-tail]

	doneA, doneB := 0, 0
	for _, p := range fixedPoints(a, b) {
		edits = compare(edits, a[doneA:p.a], b[doneB:p.b])
		edits = append(edits, edit{' ', a[p.a]})
		doneA, doneB = p.a+1, p.b+1
	}
	if doneA == 0 && doneB == 0 {
		for _, l := range a {
			edits = append(edits, edit{'-', l})
		}
		for _, l := range b {
			edits = append(edits, edit{'+', l})
		}
	} else {
		edits = compare(edits, a[doneA:], b[doneB:])
	}
	for _, l := range equal {
		edits = append(edits, edit{' ', l})
	}
	return edits
}

// point is a line's place on both sides.
type point struct{ a, b int }

// fixedPoints are the lines that occur exactly once on each side, as many as stand in the same order on both.
func fixedPoints(a, b []string) []point {
	type count struct{ inA, inB, b int }
	counts := make(map[string]count, len(a))
	for _, l := range a {
		c := counts[l]
		c.inA++
		counts[l] = c
	}
	for i, l := range b {
		if c, ok := counts[l]; ok {
			c.inB, c.b = c.inB+1, i
			counts[l] = c
		}
	}
	// Patience: piles[k] is the point with the smallest b that ends an ascending row of k+1 points.
	var points, piles []point
	var before []int // the point before points[i] in its row
	var tops []int   // the index into points of piles[k]
	for i, l := range a {
		c := counts[l]
		if c.inA != 1 || c.inB != 1 {
			continue
		}
		p := point{i, c.b}
		k, _ := slices.BinarySearchFunc(piles, p, func(x, y point) int { return x.b - y.b })
		points = append(points, p)
		prev := -1
		if k > 0 {
			prev = tops[k-1]
		}
		before = append(before, prev)
		if k == len(piles) {
			piles, tops = append(piles, p), append(tops, len(points)-1)
		} else {
			piles[k], tops[k] = p, len(points)-1
		}
	}
	if len(tops) == 0 {
		return nil
	}
	var row []point
	for i := tops[len(tops)-1]; i >= 0; i = before[i] {
		row = append(row, points[i])
	}
	slices.Reverse(row)
	return row
}
