package pattern

import "regexp/syntax"

// What RE2 takes and PCRE doesn't: it compiles an expression to at most 64 KiB, and nests groups at most 250
// deep. A generator puts groups of its own around.
const (
	maxSize  = 56000
	maxDepth = 200
)

// The most bytes that PCRE takes for the parts of an expression.
const (
	charSize   = 2
	classSize  = 34
	groupSize  = 6
	branchSize = 3
	countSize  = 8
)

// sizeOf estimates the size of a compiled expression from above.
func sizeOf(re *syntax.Regexp) int {
	switch re.Op {
	case syntax.OpLiteral:
		if re.Flags&syntax.FoldCase != 0 {
			return classSize * len(re.Rune)
		}
		return charSize * len(re.Rune)
	case syntax.OpCharClass:
		return classSize
	case syntax.OpStar, syntax.OpPlus, syntax.OpQuest, syntax.OpRepeat:
		return repeatedSize(re)
	}
	size := groupSize
	for _, sub := range re.Sub {
		size = min(size+sizeOf(sub)+branchSize, 8*maxSize)
	}
	return size
}

// repeatedSize counts a group as often as it is repeated; a single character has a counter.
func repeatedSize(re *syntax.Regexp) int {
	sub := re.Sub[0]
	size := sizeOf(sub)
	if single(sub) {
		return size + countSize
	}
	if sub.Op != syntax.OpCapture {
		size += groupSize
	}
	times := 1
	if re.Op == syntax.OpRepeat {
		times = max(re.Min, re.Max, 1)
		if re.Max != re.Min {
			times++
			size += countSize
		}
	}
	return min(times*size+countSize, 8*maxSize)
}

// depthOf is how many groups stand in each other.
func depthOf(re *syntax.Regexp) int {
	deepest := 0
	for _, sub := range re.Sub {
		deepest = max(deepest, depthOf(sub))
	}
	switch re.Op {
	case syntax.OpConcat:
		return deepest
	case syntax.OpStar, syntax.OpPlus, syntax.OpQuest, syntax.OpRepeat:
		if single(re.Sub[0]) {
			return deepest
		}
	}
	return deepest + 1
}
