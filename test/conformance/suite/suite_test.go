package suite

import (
	"testing"

	"sigs.k8s.io/gateway-api/conformance"
)

// TestConformance is the official suite as it is. Its flags say what to run.
func TestConformance(t *testing.T) { conformance.RunConformance(t) }
