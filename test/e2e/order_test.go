package e2e

import (
	"bytes"
	"slices"
	"testing"

	"github.com/gatewright/gatewright/controller/resources"
	"github.com/gatewright/gatewright/controller/status"
	"github.com/gatewright/gatewright/controller/translate"
	"github.com/gatewright/gatewright/generators"
	"github.com/gatewright/gatewright/test/harness"
)

// TestOrderOfInputDoesNotMatter renders random configurations twice, the second time with the objects in
// another order: every file and every status has the same bytes.
func TestOrderOfInputDoesNotMatter(t *testing.T) {
	secret := harness.Secret("default", "certificate", harness.Certificate(t, "example.com"))
	proxies := harness.Proxies(t)
	for number := range 20 {
		r := newRandom(*seedFlag, uint64(number))
		snapshot := r.objects().snapshot(t, secret)
		shuffled := r.shuffle(snapshot)
		for _, p := range proxies {
			first, second := render(t, p, snapshot), render(t, p, shuffled)
			if len(first) != len(second) {
				t.Fatalf("-seed %d -config %d: %d files, then %d", *seedFlag, number, len(first), len(second))
			}
			for i := range first {
				if first[i].Path != second[i].Path || !bytes.Equal(first[i].Data, second[i].Data) {
					t.Errorf("-seed %d -config %d: %s of %s depends on the order of the input", *seedFlag, number, first[i].Path, p)
				}
			}
		}
	}
}

func render(t *testing.T, p harness.Proxy, s *resources.Snapshot) []generators.File {
	t.Helper()
	result := translate.Translate(s, p.Capabilities, translate.Options{Controller: harness.Controller})
	files, err := p.Generator(generators.Options{}).Render(result.Gateways, p.Capabilities)
	if err != nil {
		t.Fatal(err)
	}
	statuses, err := status.Marshal(result.Reports())
	if err != nil {
		t.Fatal(err)
	}
	return append(files, generators.File{Path: "status.yaml", Data: statuses})
}

// shuffle returns the snapshot with its lists in another order.
func (r random) shuffle(s *resources.Snapshot) *resources.Snapshot {
	c := *s
	c.GatewayClasses, c.Gateways, c.GRPCRoutes = shuffled(r, s.GatewayClasses), shuffled(r, s.Gateways), shuffled(r, s.GRPCRoutes)
	c.Services, c.EndpointSlices, c.Secrets = shuffled(r, s.Services), shuffled(r, s.EndpointSlices), shuffled(r, s.Secrets)
	c.Namespaces, c.ReferenceGrants = shuffled(r, s.Namespaces), shuffled(r, s.ReferenceGrants)
	return &c
}

func shuffled[E any](r random, list []E) []E {
	list = slices.Clone(list)
	r.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	return list
}
