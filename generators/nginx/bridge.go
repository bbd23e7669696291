package nginx

import (
	"errors"

	"github.com/gatewright/gatewright/generators/answers"
)

// relayVariable is what the bridge is told of a call.
const relayVariable = "$gw_relay"

// errNoBridge is for a rule that translation should have refused.
var errNoBridge = errors.New("it takes a bridge beside the proxy, and none was named")

// throughBridge is the upstream that calls reach through the bridge. The endpoints are there for when it is gone: nginx asks the
// bridge first each time, for a connection that is refused costs it nothing. TLS is the bridge's to speak, so that it is required then.
func (a *actions) throughBridge(u *Upstream, required bool) *Upstream {
	name := u.Name + "_bridge"
	if required {
		name += "_only"
	}
	b := a.bridged[name]
	if b == nil {
		through := *u
		through.Name, through.Bridge, through.Required, through.TLS = name, a.bridge, required, nil
		if required {
			through.Service = answers.Bridge + u.Service
		}
		b = &through
		a.bridged[name] = b
	}
	return b
}

// tellBridge says which of the bridge's actions the calls of an action are for; "" is none.
func (a *actions) tellBridge(id, relayed string) {
	if relayed == "" {
		return
	}
	if a.relay == nil {
		a.relay = a.blocks.add(Map{Comment: "What the bridge does with the calls of an action.", Source: "$gw_action", Name: relayVariable[1:]})
		a.relay.byKey = true
	}
	a.relay.entry(id, relayed, "")
}
