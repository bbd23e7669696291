package translate

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/gatewright/gatewright/generators/model"
)

func TestIntersection(t *testing.T) {
	tests := []struct {
		a, b, want string
		ok         bool
	}{
		{"", "", "", true},
		{"", "a.example.com", "a.example.com", true},
		{"*.example.com", "", "*.example.com", true},
		{"a.example.com", "a.example.com", "a.example.com", true},
		{"*.example.com", "a.example.com", "a.example.com", true},
		{"*.example.com", "a.b.example.com", "a.b.example.com", true},
		{"a.b.example.com", "*.example.com", "a.b.example.com", true},
		{"*.example.com", "*.b.example.com", "*.b.example.com", true},
		{"*.b.example.com", "*.example.com", "*.b.example.com", true},
		{"*.example.com", "example.com", "", false},
		{"*.example.com", "badexample.com", "", false},
		{"*.example.com", "*.badexample.com", "", false},
		{"*.example.com", "*.example.net", "", false},
		{"a.example.com", "b.example.com", "", false},
	}
	for _, tt := range tests {
		got, ok := model.HostnameIntersection(tt.a, tt.b)
		if ok != tt.ok || ok && got != tt.want {
			t.Errorf("HostnameIntersection(%q, %q) = %q, %v, want %q, %v", tt.a, tt.b, got, ok, tt.want, tt.ok)
		}
	}
}

// TestHostSet compares the set with asking each member in turn.
func TestHostSet(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	host := func() string {
		labels := make([]string, 1+rnd.IntN(4))
		for i := range labels {
			labels[i] = pick(rnd, "a", "b", "com")
		}
		h := strings.Join(labels, ".")
		switch rnd.IntN(8) {
		case 0:
			return ""
		case 1, 2, 3:
			return "*." + h
		}
		return h
	}
	yes := 0
	for range 5000 {
		s := newHostSet()
		var members []string
		for range rnd.IntN(5) {
			if h := host(); h != "" {
				members = append(members, h)
				s.add(h, "owner of "+h)
			}
		}
		h, want := host(), false
		for _, m := range members {
			_, ok := model.HostnameIntersection(m, h)
			want = want || ok
		}
		owner := s.intersects(h)
		if got := owner != ""; got != want {
			t.Fatalf("%v intersects %q: %q, want %v", members, h, owner, want)
		}
		if want {
			yes++
		}
	}
	if yes < 500 {
		t.Errorf("only %d sets had anything in common", yes)
	}
	s := newHostSet()
	s.add("", "everyone")
	if got := s.intersects("a.com"); got != "everyone" {
		t.Errorf("a set with every host: %q", got)
	}
}
