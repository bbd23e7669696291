package haproxy

import (
	"fmt"
	"strings"
	"testing"

	"github.com/gatewright/gatewright/generators/model"
)

// TestSessionsBounded: what every call pays for is bounded for each namespace by itself, and the same session is one.
func TestSessionsBounded(t *testing.T) {
	ts := &targets{}
	for i := range mostSessions {
		p := &model.Persistence{Header: fmt.Sprint("x-", i)}
		first, err := ts.session(p, "ns")
		again, err2 := ts.session(p, "ns")
		if err != nil || err2 != nil || first != again {
			t.Fatal(first, again, err, err2)
		}
	}
	more := &model.Persistence{Cookie: &model.Cookie{Name: "more", Path: "/"}}
	if _, err := ts.session(more, "ns"); err == nil || !strings.Contains(err.Error(), "namespace ns know sessions by 16") {
		t.Errorf("one more: %v", err)
	}
	if _, err := ts.session(more, "other"); err != nil {
		t.Errorf("one of another namespace: %v", err)
	}
}

// TestIdentify: the number of a server depends on its name alone, and no two of a section have the same.
func TestIdentify(t *testing.T) {
	var many []Server
	for i := range 5000 {
		many = append(many, Server{Name: fmt.Sprintf("10.0.%d.%d:80", i/250, i%250)})
	}
	identify(many)
	seen := map[uint32]bool{}
	for _, s := range many {
		if s.ID == 0 || s.ID >= 1<<31 || seen[s.ID] {
			t.Fatalf("server %s has the number %d", s.Name, s.ID)
		}
		seen[s.ID] = true
	}
	few := []Server{{Name: many[4000].Name}, {Name: many[7].Name}}
	identify(few)
	if few[0].ID != many[4000].ID || few[1].ID != many[7].ID {
		t.Errorf("%v, and among others %v and %v", few, many[4000], many[7])
	}
}
