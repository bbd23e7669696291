package haproxy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/gatewright/gatewright/generators"
	"github.com/gatewright/gatewright/generators/model"
)

// systemAuthorities is HAProxy's name for the certificates of the authorities that the system trusts.
const systemAuthorities = "@system-ca"

// backendTLS writes how servers are verified.
type backendTLS struct {
	folder string
	// system is what stands for the authorities that the system trusts.
	system string
}

// settings are those of a server for TLS. HAProxy verifies the name that it asks for, and takes no heed of another one then; checks
// don't know that name by themselves.
func (b *backendTLS) settings(t *model.BackendTLS, protocol model.BackendProtocol) (string, error) {
	words := []string{"ssl", "verify", "required", "ssl-min-ver", "TLSv1.2", "ca-file"}
	authorities := b.system
	if t.Bundle != "" {
		authorities = b.folder + bundlePath(t.Bundle)
	}
	// A server is added to a running HAProxy by the same words, and nothing quotes them there.
	if strings.ContainsAny(authorities, "\\\"'$;<{}(),# \t\r\n") {
		return "", fmt.Errorf("the authorities' path %q has characters that HAProxy doesn't take literally", authorities)
	}
	if strings.Trim(t.Hostname, "abcdefghijklmnopqrstuvwxyz0123456789.-") != "" {
		return "", fmt.Errorf("%q isn't a server name", t.Hostname)
	}
	alpn := "h2"
	if protocol == model.BackendHTTP1 {
		alpn = "http/1.1"
	}
	words = append(words, authorities, "sni", "str("+t.Hostname+")", "check-sni", t.Hostname, "alpn", alpn, "check-alpn", alpn)
	if t.KeyPair != "" {
		words = append(words, "crt", b.folder+clientPath(t.KeyPair))
	}
	return strings.Join(words, " "), nil
}

// tlsFiles are the files that servers name: whom they trust, and what is shown to them.
func tlsFiles(m *model.Gateways) []generators.File {
	var files []generators.File
	for i := range m.Bundles {
		files = append(files, generators.File{Path: bundlePath(m.Bundles[i].Name), Data: m.Bundles[i].Certificates})
	}
	shown := map[string]bool{}
	for i := range m.Clusters {
		if t := m.Clusters[i].TLS; t != nil {
			shown[t.KeyPair] = true
		}
	}
	for i := range m.KeyPairs {
		if p := &m.KeyPairs[i]; shown[p.Name] {
			files = append(files, generators.File{Path: clientPath(p.Name), Data: pairData(p), Secret: true})
		}
	}
	return files
}

// clientPaths are the key pairs that are shown to servers, on versions that look for those in the wrong folder.
func clientPaths(m *model.Gateways, v model.Version, folder string) []string {
	if v.AtLeast(3, 0, 0) {
		return nil
	}
	var paths []string
	for i := range m.Clusters {
		if t := m.Clusters[i].TLS; t != nil && t.KeyPair != "" {
			paths = append(paths, folder+clientPath(t.KeyPair))
		}
	}
	slices.Sort(paths)
	return slices.Compact(paths)
}

// listenersPairs are the names of the key pairs that listeners have.
func listenersPairs(m *model.Gateways) map[string]bool {
	names := map[string]bool{}
	for i := range m.Gateways {
		for j := range m.Gateways[i].Listeners {
			for _, name := range m.Gateways[i].Listeners[j].KeyPairs {
				names[name] = true
			}
		}
	}
	return names
}

// bundlePath is where the certificates of authorities are, and clientPath a key pair that is shown to endpoints. Files of
// listeners are told to a running HAProxy when they change; these it reads again.
func bundlePath(name string) string { return "authorities/" + name + ".pem" }

func clientPath(name string) string { return "clients/" + name + ".pem" }
