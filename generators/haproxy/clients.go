package haproxy

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/gatewright/gatewright/generators"
	"github.com/gatewright/gatewright/generators/matching"
	"github.com/gatewright/gatewright/generators/model"
)

// ClientsFolder is where the certificates of the CAs are that clients are asked for, a file for each port.
const ClientsFolder = "clients/"

// keepCertificate keeps a client's certificate for as long as its connection lives, as it is sent to endpoints: PEM, escaped as in
// a URI.
const keepCertificate = `tcp-request session set-var(sess.certificate) 'ssl_c_der,base64,regsub("(.{1,64})","\1%0A",g),` +
	`regsub("[+]","%2B",g),regsub("/","%2F",g),regsub("=","%3D",g)' if { ssl_c_used }`

// mixedSessions are the versions that resume a TLS session also where other certificates are asked for than where it began.
func mixedSessions(v model.Version) bool { return !v.AtLeast(3, 2, 0) }

// clients writes what is asked of the certificates of clients to all binds of a port, so that no server name has a way round it.
// Where HAProxy keeps sessions after all, those that aren't for this port end.
func (f *frontends) clients(fe *Frontend, p *matching.Port, id string) {
	if p.Clients == nil {
		return
	}
	path := ClientsFolder + id + ".pem"
	f.files = append(f.files, generators.File{Path: path, Data: p.Clients.Certificates})
	fe.Asked = " verify required ca-file " + f.folder + path
	if p.Clients.InsecureFallback {
		fe.Asked = " verify optional crt-ignore-err all ca-ignore-err all ca-file " + f.folder + path
	} else if f.include && mixedSessions(f.version) {
		fe.Session = append(fe.Session, "tcp-request session reject if { ssl_fc_is_resumed }")
	}
	fe.Session = append(fe.Session, keepCertificate)
	for i := range fe.Binds {
		if strings.Contains(fe.Binds[i], " ssl ") {
			fe.Binds[i] += fe.Asked
		}
	}
}

// CertificateLines give endpoints the certificate of the client, on every port once one asks for any: they would believe it there
// too. Some endpoints read "_" in a name as "-".
func (f *Frontend) CertificateLines(condition string) []string {
	if !f.Asks {
		return nil
	}
	drop := "http-request del-header ^x[-_]forwarded[-_]client[-_]cert$ -m reg"
	if condition != "" {
		drop += " if " + condition
	}
	lines := []string{drop}
	if f.Asked != "" {
		lines = append(lines, strings.TrimSuffix("http-request set-header "+generators.ClientCertificate+
			" -----BEGIN%%20CERTIFICATE-----%%0A%[var(sess.certificate)]-----END%%20CERTIFICATE-----%%0A if { var(sess.certificate) -m found } "+
			condition, " "))
	}
	return lines
}

// LateCertificateLines are those of gRPC where they come behind its rules, and before those of HTTPRoutes.
func (f *Frontend) LateCertificateLines() []string {
	if f.HTTP != nil {
		return f.CertificateLines("grpc")
	}
	return f.CertificateLines("")
}

// asksClients makes sure that templates of somebody's own leave nobody in whom the Gateway doesn't let in.
func asksClients(config []byte, list []Frontend) error {
	i := slices.IndexFunc(list, func(f Frontend) bool { return f.Asked != "" && !bytes.Contains(config, []byte(f.Asked)) })
	if i < 0 {
		return nil
	}
	return fmt.Errorf("the template frontend.tmpl doesn't write the Binds of a frontend whole, so that %s would ask nobody for a certificate: "+
		"take over what the built-in one does with them", list[i].Name)
}
