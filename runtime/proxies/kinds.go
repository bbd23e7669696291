package proxies

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/gatewright/gatewright/generators"
	haproxyfiles "github.com/gatewright/gatewright/generators/haproxy"
	"github.com/gatewright/gatewright/generators/model"
	nginxfiles "github.com/gatewright/gatewright/generators/nginx"
	"github.com/gatewright/gatewright/runtime/apply"
	haproxybinary "github.com/gatewright/gatewright/runtime/haproxy"
	nginxbinary "github.com/gatewright/gatewright/runtime/nginx"
)

// Kind is all that is known of one kind of proxy.
type Kind struct {
	Name      string
	Generator func(generators.Options) generators.Generator
	// Stated are the capabilities of a version as it is usually built.
	Stated func(model.Version) model.Capabilities
	// Asked are the capabilities that a binary tells.
	Asked func(ctx context.Context, binary string) (model.Capabilities, error)
	// Usual is the version that is taken when none is named.
	Usual model.Version
	// Marker is the name of the socket in the state folder that tells the generation.
	Marker string
	// Users are whom workers run as that would be root's otherwise; nil for a proxy that sees to that by itself.
	Users []string
	// builtIn is whom they run as in any case unless somebody is named; nil for this process's own user.
	builtIn func(ctx context.Context, binary string) (string, error)
	// Calls is the name of the file in the state folder for what the proxy says of calls; "" when it says nothing of them.
	Calls string
	// Run makes what runs or joins the proxy, with files of gatewright's.
	Run func(Options) (*Runtime, error)
	// MainFile is the file that the proxy is started with.
	MainFile string
	// join makes what reloads a running proxy that was started with such a file, whatever its name.
	join func(o Options, config string) (validating, apply.Hooks, error)
}

// Kinds are all of them; the first is the usual one.
var Kinds = []*Kind{
	{
		Name:      "nginx",
		Generator: func(o generators.Options) generators.Generator { return nginxfiles.New(o) },
		Stated:    nginxfiles.CapabilitiesOf,
		Asked:     nginxbinary.Capabilities,
		Usual:     model.Version{Major: 1, Minor: 26, Patch: 3},
		Marker:    "nginx.sock",
		Calls:     "nginx-calls.log",
		builtIn:   nginxbinary.User,
		Run:       runNginx,
		MainFile:  "nginx.conf",
		join:      joinNginx,
	},
	{
		Name:      "haproxy",
		Generator: func(o generators.Options) generators.Generator { return haproxyfiles.New(o) },
		Stated:    haproxyfiles.CapabilitiesOf,
		Asked:     haproxybinary.Capabilities,
		Usual:     model.Version{Major: 3, Minor: 0, Patch: 11},
		Marker:    "haproxy.sock",
		Users:     []string{"haproxy", "nobody"},
		Run:       runHAProxy,
		MainFile:  "haproxy.cfg",
		join:      joinHAProxy,
	},
}

// Names are those of all Kinds, in their order.
func Names() []string {
	var names []string
	for _, k := range Kinds {
		names = append(names, k.Name)
	}
	return names
}

// Named is the Kind with a name; nil when there is none.
func Named(name string) *Kind {
	if i := slices.Index(Names(), name); i >= 0 {
		return Kinds[i]
	}
	return nil
}

// Capabilities finds out what a proxy can do (R4): a binary is asked, a version is taken as it is usually built, and with
// neither it is the usual version. The note says so then; it is "" otherwise.
func (k *Kind) Capabilities(ctx context.Context, binary, version string) (caps model.Capabilities, note string, err error) {
	switch {
	case binary != "" && version != "":
		return caps, "", errors.New("--proxy-binary and --proxy-version exclude each other: a binary tells its version")
	case binary != "":
		caps, err = k.Asked(ctx, binary)
		return caps, "", err
	case version != "":
		v, err := model.ParseVersion(version)
		if err != nil {
			return caps, "", fmt.Errorf("--proxy-version: %w", err)
		}
		return k.Stated(v), "", nil
	}
	return k.Stated(k.Usual), fmt.Sprintf("taking %s %s, for neither --proxy-binary nor --proxy-version names yours", k.Name, k.Usual), nil
}
