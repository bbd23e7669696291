package model

import "testing"

func TestListenerNames(t *testing.T) {
	for name, want := range map[string][4]string{
		"web":                                {"", "", "web", "web"},
		"a.b":                                {"", "", "a.b", "a.b"},
		SetListener("ns", "more", "web"):     {"ns", "more", "web", "web of ListenerSet ns/more"},
		SetListener("n-s", "m.o.r.e", "w.b"): {"n-s", "m.o.r.e", "w.b", "w.b of ListenerSet n-s/m.o.r.e"},
	} {
		namespace, set, listener := CutListener(name)
		if got := [4]string{namespace, set, listener, ListenerText(name)}; got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
}
