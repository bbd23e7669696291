package serve

import (
	"errors"
	"fmt"

	"github.com/gatewright/gatewright/runtime/apply"
)

// State is where configurations are kept.
type State struct {
	Dir string
	// Shared says that others may change the folder.
	Shared bool
	// Keep is how many versions of the configuration to keep.
	Keep int
}

// Open takes the folder.
func (s State) Open() (*apply.Store, error) {
	if s.Shared {
		return apply.OpenSharedStore(s.Dir, s.Keep)
	}
	store, err := apply.OpenStore(s.Dir, s.Keep)
	var untrusted *apply.UntrustedError
	if errors.As(err, &untrusted) {
		err = fmt.Errorf("%w; where nobody else is about, as in a pod of your own, --shared-state-dir takes it as it is", err)
	}
	return store, err
}
