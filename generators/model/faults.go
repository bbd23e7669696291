package model

import "slices"

// Fault is something that versions of a proxy do wrong and that touches what gatewright renders.
type Fault struct {
	// Versions are those that have it.
	Versions []VersionRange `json:"versions"`
	// What goes wrong, and what that means here, or what is done about it: a sentence each.
	What  string `json:"what"`
	Means string `json:"means"`
}

// VersionRange is the versions from From on up to Fixed, which hasn't the fault any more. The zero Fixed is none yet.
type VersionRange struct {
	From  Version `json:"from"`
	Fixed Version `json:"fixed"`
}

// Has says whether a version is in the range.
func (r VersionRange) Has(v Version) bool {
	return v.Compare(r.From) >= 0 && (r.Fixed == Version{} || v.Compare(r.Fixed) < 0)
}

// FixedIn is the version that has the fault no more, of the range that has v; false where no such version is known.
func (f Fault) FixedIn(v Version) (Version, bool) {
	for _, r := range f.Versions {
		if r.Has(v) {
			return r.Fixed, r.Fixed != Version{}
		}
	}
	return Version{}, false
}

// In says whether a version has the fault.
func (f Fault) In(v Version) bool {
	return slices.ContainsFunc(f.Versions, func(r VersionRange) bool { return r.Has(v) })
}

// FaultsOf are those of a list that a version has.
func FaultsOf(list []Fault, v Version) []Fault {
	return slices.DeleteFunc(slices.Clone(list), func(f Fault) bool { return !f.In(v) })
}
