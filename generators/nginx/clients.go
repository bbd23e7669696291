package nginx

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/gatewright/gatewright/generators"
	"github.com/gatewright/gatewright/generators/matching"
)

// Clients is what a server{} asks of the certificates of clients.
type Clients struct {
	// Certificates is the token of the file with those of the CAs.
	Certificates string
	// Fallback says that clients are let in whatever their certificates.
	Fallback bool
}

// clientsFile is what server{} blocks with Clients include instead of tls.conf.
const clientsFile = "clients.conf"

// clientCertificate is the header with a client's certificate, PEM, escaped as in a URI; none where there is no certificate.
var clientCertificate = forwardedHeader{generators.ClientCertificate, "$ssl_client_escaped_cert"}

// clients says what the servers of a port ask for. All of them do, those for other server names included: nginx looks at the one
// of the server name and at the one of the host.
func (s *servers) clients(p *matching.Port, suffix string) (*Clients, error) {
	if p.Clients == nil {
		return nil, nil
	}
	path := "clients/" + suffix + ".crt"
	s.clientFiles = append(s.clientFiles, generators.File{Path: path, Data: p.Clients.Certificates})
	token, err := Token(s.folder + path)
	return &Clients{token, p.Clients.InsecureFallback}, err
}

// startClients makes endpoints get the certificates of clients from nginx and from nobody else, on whichever port a call came.
func (a *actions) startClients(t *matching.Tables) {
	if t.ValidatesClients() {
		a.profiles.forwarded = []forwardedHeader{clientCertificate}
	}
}

// asksClients makes sure that templates of somebody's own leave nobody in whom the Gateway doesn't let in.
func asksClients(files []generators.File, list []Server) error {
	i := slices.IndexFunc(files, func(f generators.File) bool { return f.Path == "servers.conf" })
	for _, s := range list {
		if s.Clients != nil && !bytes.Contains(files[i].Data, []byte(s.Clients.Certificates)) {
			return fmt.Errorf("the template servers.conf.tmpl doesn't write the Clients of a server{}, whose certificates nobody would ask for: " +
				"take over what the built-in one does with them")
		}
	}
	return nil
}
