package controller

import (
	"errors"
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// TestTriedAgain: a kind that the cluster doesn't have is asked for all the time, and is news only when something is other
// than before.
func TestTriedAgain(t *testing.T) {
	absent := &meta.NoKindMatchError{GroupKind: schema.GroupKind{Group: "g", Kind: "K"}}
	s := &watchState{problem: errors.New("not asked yet")}
	for i, try := range []struct {
		err  error
		news bool
	}{
		{absent, true},
		{absent, false},
		{errors.New("refused"), true},
		{errors.New("refused"), false},
		{errors.New("too slow"), true},
		{absent, true},
		{nil, true},
	} {
		if news := s.tried(nil, try.err); news != try.news || s.problem != try.err || s.absent != (try.err == absent) {
			t.Errorf("try %d, %v: news is %t, want %t; now %+v", i, try.err, news, try.news, s)
		}
	}
}
