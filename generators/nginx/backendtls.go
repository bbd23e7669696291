package nginx

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/gatewright/gatewright/generators"
	"github.com/gatewright/gatewright/generators/model"
)

// SystemAuthorities is the file with the certificates of the authorities that the system trusts, when nobody names another: that
// of Debian.
const SystemAuthorities = "/etc/ssl/certs/ca-certificates.crt"

// tlsName is the variable with the server name that an endpoint is asked for and verified by. Each one has upstreams of its own:
// nginx takes any idle connection of an upstream, whichever name it was verified by.
const tlsName = "gw_tls_name"

// backendTLS writes how endpoints are verified.
type backendTLS struct {
	folder string
	// system is the path of the authorities that the system trusts.
	system string
	// names is the map of the server names, by action; nil while there are none.
	names *block
}

func newBackendTLS(folder string, o *generators.Options) *backendTLS {
	return &backendTLS{folder: folder, system: cmp.Or(o.SystemAuthorities, SystemAuthorities)}
}

// lines are the directives of a location for what it needs of files.
func (b *backendTLS) lines(module string, t *model.BackendTLS) ([]string, error) {
	path := b.system
	if t.Bundle != "" {
		path = b.folder + bundlePath(t.Bundle)
	}
	trusted, err := Token(path)
	if err != nil {
		return nil, fmt.Errorf("the authorities' path %q: %w", path, err)
	}
	lines := []string{module + "_ssl_trusted_certificate " + trusted + ";"}
	if t.KeyPair == "" {
		return lines, nil
	}
	certificate, err := Token(b.folder + certificatePath(t.KeyPair))
	if err != nil {
		return nil, err
	}
	key, err := Token(b.folder + keyPath(t.KeyPair))
	if err != nil {
		return nil, err
	}
	return append(lines, module+"_ssl_certificate "+certificate+";", module+"_ssl_certificate_key "+key+";"), nil
}

// name notes the server name of an action.
func (b *backendTLS) name(bs *blocks, action string, t *model.BackendTLS) error {
	if b.names == nil {
		b.names = bs.add(Map{Comment: "and what their certificates are for.", Source: "$gw_action", Name: tlsName})
		b.names.byKey = true
	}
	token, err := Value(t.Hostname)
	if err == nil {
		b.names.entry(action, token, "")
	}
	return err
}

func bundlePath(bundle string) string { return "authorities/" + bundle + ".crt" }

// tlsModules are the modules that locations speak TLS with.
func tlsModules(as *actions) []string {
	var modules []string
	if slices.ContainsFunc(as.profiles.list, func(p Profile) bool { return p.TLS }) {
		modules = append(modules, "grpc")
	}
	for _, p := range as.http.profiles {
		if p.TLS && !slices.Contains(modules, p.Module) {
			modules = append(modules, p.Module)
		}
	}
	slices.Sort(modules)
	return modules
}
