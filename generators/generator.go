package generators

import (
	"cmp"
	"fmt"
	"io/fs"
	"net/netip"
	"slices"

	"github.com/gatewright/gatewright/generators/model"
)

// Generator turns the model into the files of one kind of proxy. It is pure: the same input gives the same
// bytes, and nothing is read but the arguments.
type Generator interface {
	// Render returns the proxy's files, sorted by path. What a resource may say was decided by translate; what it let
	// through and can't be written is never a reason for the rest not to be served (R42): Refusals name such rules and
	// clusters, all at once. For any other error or a panic, the caller looks for the part without which there is none
	// (apply.Render); one that an empty model gives too is a fault of the generator or of a template.
	Render(model.Gateways, model.Capabilities) ([]File, error)
}

// File is one rendered file.
type File struct {
	// Path is relative to the output folder, with slashes.
	Path string
	// Data is the whole content.
	Data []byte
	// Secret files hold private keys: nobody but the owner may read them.
	Secret bool
	// Access is who may read the file that this one is a copy of; nil for one that was rendered, which others may not
	// read: what a route sets in a header may be a password.
	Access *Access
}

// Access is who may read a file.
type Access struct {
	// Mode are its permissions, and Group is the id of its group.
	Mode  fs.FileMode
	Group int
}

// Sort orders files by path, as Render returns them.
func Sort(files []File) {
	slices.SortFunc(files, func(a, b File) int { return cmp.Compare(a.Path, b.Path) })
}

// ClientCertificate is the header in which endpoints get the certificate of a client: PEM, escaped as in a URI.
const ClientCertificate = "x-forwarded-client-cert"

// Layout says what a generator writes.
type Layout string

// The layouts, as `--layout` takes them.
const (
	// LayoutFull is a configuration that the proxy starts from.
	LayoutFull Layout = "full"
	// LayoutInclude is what a team's own configuration includes.
	LayoutInclude Layout = "include"
)

// Options are what every generator is made with. The zero value renders the full layout from the built-in
// templates.
type Options struct {
	Layout Layout
	// Folder is the name that the rendered folder has beside the team's own configuration; paths in
	// LayoutInclude start with it.
	Folder string
	// Marker is the absolute path of the unix socket where the running configuration tells its generation;
	// "" for none.
	Marker string
	// CallLog is the absolute path of the file where nginx writes what it says of single calls, which may hold text of
	// clients and backends; "" writes it where all else goes, so that who reads that can't tell one from the other.
	CallLog string
	// AccessLog has the proxy write a line for each call; nil has it write none.
	AccessLog *AccessLog
	// Resolver is the IP address and port where the running configuration asks for the endpoints of clusters
	// by DNS; "" writes them to the files. Proxies without model.FeatureResolve don't ask.
	Resolver string
	// Bridge is the absolute path of the unix socket where a bridge takes calls that need one (package relay); "" for none.
	Bridge string
	// User and Group are who the proxy's workers run as in LayoutFull, both or neither; "" leaves it to the proxy.
	User, Group string
	// CallOnce has every Service called so that a call runs once at most, as model.Cluster.CallOnce does one.
	CallOnce bool
	// Instance tells this gateway from others in the header Hops; "" makes one of what the model listens at.
	Instance string
	// TrustedProxies are the networks of proxies in front of this one whose X-Forwarded headers requests of HTTPRoutes keep.
	TrustedProxies []netip.Prefix
	// SystemAuthorities is the file with the certificates of the authorities that the system trusts; "" is where the proxy looks for
	// them, or the usual place.
	SystemAuthorities string
	// MaxStreams is the most calls that one client connection has open at a time; 0 is limits.Default's.
	MaxStreams int
	// Templates overrides built-in templates by name; nil for none.
	Templates fs.FS
}

// Workers are User and Group as one word each of a configuration, by the proxy's way to quote it.
func (o *Options) Workers(quote func(string) (string, error)) (user, group string, err error) {
	if o.User == "" {
		return "", "", nil
	}
	if user, err = quote(o.User); err != nil {
		return "", "", fmt.Errorf("the user: %w", err)
	}
	if group, err = quote(o.Group); err != nil {
		return "", "", fmt.Errorf("the group: %w", err)
	}
	return user, group, nil
}

// Ciphers are the suites of TLS 1.2 that listeners take, the first that a client has too, as OpenSSL names them:
// those with forward secrecy and authenticated encryption that are in wide use. TLS 1.3 has no others.
const Ciphers = "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:" +
	"ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"
