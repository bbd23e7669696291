package generators

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/gatewright/gatewright/generators/model"
)

// Hops is the header of requests that says where a call has been (RFC 8586): each gateway adds its instance, and ends
// a call that has been here before (R43).
const Hops = "cdn-loop"

// instancePrefix begins the instances that gatewright makes up, for people who read the header.
const instancePrefix = "gatewright-"

// maxInstance is the most characters of an instance.
const maxInstance = 63

// CheckInstance says what is wrong with an instance that somebody has named.
func CheckInstance(instance string) error {
	if instance == "" || len(instance) > maxInstance {
		return fmt.Errorf("%q: want 1 to %d characters", instance, maxInstance)
	}
	for i := range len(instance) {
		if c := instance[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return fmt.Errorf("%q has the character %q: want small letters, digits and -", instance, c)
		}
	}
	return nil
}

// NewInstance makes an instance of random bytes.
func NewInstance(random []byte) string { return instancePrefix + hex.EncodeToString(random) }

// instanceOf is the instance of who names none: it hangs on what listens where, so that another gateway has another
// one.
func instanceOf(m model.Gateways) string {
	h := sha256.New()
	for i := range m.Gateways {
		g := &m.Gateways[i]
		fmt.Fprintf(h, "%s/%s %s\n", g.Namespace, g.Name, strings.Join(g.Addresses, " "))
		for j := range g.Listeners {
			l := &g.Listeners[j]
			fmt.Fprintf(h, "%s %d %s %s\n", l.Name, l.Port, l.Protocol, l.Hostname)
		}
	}
	return NewInstance(h.Sum(nil)[:8])
}

// InstanceOf is what tells this gateway from others in the header Hops: Instance, or one that is made of what the
// model listens at.
func (o *Options) InstanceOf(m model.Gateways) (string, error) {
	if o.Instance == "" {
		return instanceOf(m), nil
	}
	return o.Instance, CheckInstance(o.Instance)
}
