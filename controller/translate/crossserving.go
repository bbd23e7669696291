package translate

import "fmt"

// CrossServing is what becomes of a GRPCRoute and an HTTPRoute that want the same hosts of a listener (R25).
type CrossServing string

// The ways of CrossServing, as `--cross-serving` and CrossServingAnnotation take them.
const (
	// CrossServingExclusive accepts the older one.
	CrossServingExclusive CrossServing = "exclusive"
	// CrossServingShare accepts both: the content type of a request says whose it is.
	CrossServingShare CrossServing = "share"
)

// CrossServingAnnotation on a Gateway is a CrossServing for its listeners.
const CrossServingAnnotation = "gatewright.io/cross-serving"

// setSharing reads what the Gateway says of hosts that routes of both kinds want, or else the options.
func (gw *gateway) setSharing(byDefault CrossServing) {
	gw.shares = byDefault == CrossServingShare
	value, ok := gw.object.Annotations[CrossServingAnnotation]
	switch CrossServing(value) {
	case CrossServingShare, CrossServingExclusive:
		gw.shares = CrossServing(value) == CrossServingShare
	default:
		if ok {
			gw.notes = append(gw.notes, fmt.Sprintf("annotation %s is %.40q and changes nothing; use %s or %s", CrossServingAnnotation, value,
				CrossServingShare, CrossServingExclusive))
		}
	}
}
