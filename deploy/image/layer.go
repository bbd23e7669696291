package main

import (
	"debug/buildinfo"
	"fmt"
	"os"
	"time"

	"github.com/gatewright/gatewright/deploy/parts"
)

// user is whom the image runs as: nobody's number that has a name in it.
const user = "65532"

// layer is the image's one layer, a tar file.
func (o *options) layer(binary string, info *buildinfo.BuildInfo) ([]byte, error) {
	program, err := os.ReadFile(binary)
	if err != nil {
		return nil, err
	}
	roots, err := os.ReadFile(o.roots)
	if err != nil {
		return nil, fmt.Errorf("roots of certificate authorities: %w: install Debian's ca-certificates, or name a file with -roots", err)
	}
	bill, err := parts.Bill(o.version, info)
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{
		"gatewright": program, "etc/ssl/certs/ca-certificates.crt": roots, "sbom.cdx.json": bill,
		"etc/passwd": []byte("gatewright:x:" + user + ":" + user + ":gatewright:/:/gatewright\n"),
		"etc/group":  []byte("gatewright:x:" + user + ":\n"),
	}
	licences, err := parts.Licences(info)
	if err != nil {
		return nil, err
	}
	for name, text := range licences {
		files["licences/"+name] = text
	}
	return parts.Tar(time.Unix(0, 0), "", files, map[string]int64{"gatewright": 0o755})
}
