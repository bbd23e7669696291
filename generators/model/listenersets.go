package model

import "strings"

// SetListener is what a listener of a ListenerSet is called in the model: no listener of the Gateway itself is called so, for names
// of listeners have no slash.
func SetListener(namespace, set, listener string) string {
	return namespace + "/" + set + "/" + listener
}

// CutListener takes the name of a listener in the model apart: the namespace and name of its ListenerSet, both "" for a listener of the
// Gateway itself, and what it is called there.
func CutListener(name string) (namespace, set, listener string) {
	i := strings.LastIndexByte(name, '/')
	if i < 0 {
		return "", "", name
	}
	namespace, set, _ = strings.Cut(name[:i], "/")
	return namespace, set, name[i+1:]
}

// ListenerText is a listener's name for a person: "web", or "web of ListenerSet ns/more".
func ListenerText(name string) string {
	namespace, set, listener := CutListener(name)
	if set == "" {
		return listener
	}
	return listener + " of ListenerSet " + namespace + "/" + set
}
