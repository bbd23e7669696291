// Package reference decides calls as plainly as the specification reads: no tables, no short cuts, every rule
// of every route looked at for every call. Tests and `explain --check` hold the real thing against it. It
// imports the model only, and shares no decision with generators/matching.
package reference
