package model

import "testing"

// TestWithClusters: calls and copies go where place says; a copy that the proxy would answer isn't made.
func TestWithClusters(t *testing.T) {
	rule := &Rule{Backends: []Backend{
		{Weight: 1, Cluster: "a", Handling: Handling{Mirrors: []Mirror{{"a", 1, 1}, {"gone", 1, 2}, {"b", 1, 3}}}},
		{Weight: 2, Cluster: "gone", Handling: Handling{Mirrors: []Mirror{{"a", 1, 1}}}},
		{Weight: 3, Status: &Status{Code: Internal}},
	}}
	status := &Status{Code: Unavailable}
	got := rule.WithClusters(func(name string) (string, *Status) {
		if name == "gone" {
			return "", status
		}
		return name + "2", nil
	})
	first := got.Backends[0]
	if m := first.Mirrors; first.Cluster != "a2" || len(m) != 2 || m[0] != (Mirror{"a2", 1, 1}) || m[1] != (Mirror{"b2", 1, 3}) {
		t.Errorf("%+v", first)
	}
	if b := got.Backends[1]; b.Cluster != "" || b.Status != status || b.Weight != 2 || len(b.Mirrors) > 0 {
		t.Errorf("%+v", b)
	}
	if b := got.Backends[2]; b.Status.Code != Internal || b.Weight != 3 {
		t.Errorf("%+v", b)
	}
	if b := rule.Backends[0]; b.Cluster != "a" || b.Mirrors[0].Cluster != "a" || len(b.Mirrors) != 3 {
		t.Errorf("the rule itself is changed: %+v", b)
	}
}
