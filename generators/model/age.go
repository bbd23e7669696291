package model

import (
	"cmp"
	"strings"
	"time"
)

// Age is what decides between objects that are equal otherwise.
type Age struct {
	// Created is when the object was made; zero where that isn't known, as in files.
	Created         time.Time
	Namespace, Name string
}

// Compare orders objects as the API does on conflicts (R12, R25): the oldest first, then by the alphabet of
// "namespace/name", one string. An object whose age isn't known counts as the newest.
func (a Age) Compare(b Age) int {
	x, y := a.Created, b.Created
	if x.IsZero() != y.IsZero() {
		x, y = y, x
	}
	return cmp.Or(x.Compare(y), CompareNames(a.Namespace, a.Name, b.Namespace, b.Name))
}

// CompareNames compares "namespace/name" of two objects without building it. "/" stands between "-" and the letters, so it
// isn't the order of namespaces.
func CompareNames(namespaceA, nameA, namespaceB, nameB string) int {
	if namespaceA == namespaceB {
		return strings.Compare(nameA, nameB)
	}
	return strings.Compare(namespaceA+"/"+nameA, namespaceB+"/"+nameB)
}
