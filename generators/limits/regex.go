package limits

// What the regular expressions of one call may take. PCRE backtracks, and a worker does nothing else meanwhile;
// HAProxy's watchdog ends the whole process after a second or two. So what a call can be asked is reckoned before it is
// served, in steps: a character looked at once is a step, and a processor of today makes four in a nanosecond.
const (
	// PlainSteps is the most that a plain expression takes for a value of PlainValue bytes: it is read in about one
	// go. PlainMatch is PCRE's match limit for it, more than it ever needs.
	PlainSteps = 1 << 21
	PlainValue = 16 << 10
	PlainMatch = 50_000

	// Any other expression may try a value in many ways. It gets values of at most LongValue bytes, and PCRE gives up
	// after LongMatch tries, each of which looks at the value twice, once forward and once back. LongPatterns is how
	// many of them one call may be asked, and LongSteps what is reckoned for each.
	LongValue    = 4096
	LongPatterns = 64
	LongSteps    = CallSteps / LongPatterns

	// CallSteps is the most for all expressions that one call can be asked: an eighth of a second.
	CallSteps = 2 * LongValue * allTries
	allTries  = 64_000
)

// LongMatch is PCRE's match limit for an expression that isn't plain, where a call may be asked so many of them. Few
// get more each. The steps are far apart, so that one more of them seldom changes the others.
func LongMatch(patterns int) int {
	switch {
	case patterns <= LongPatterns/4:
		return allTries / (LongPatterns / 4)
	case patterns <= LongPatterns/2:
		return allTries / (LongPatterns / 2)
	}
	return allTries / max(patterns, LongPatterns)
}

// AroundPattern is the most bytes that stand around the text of an expression in a proxy's files.
const AroundPattern = 60
