package haproxy

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/gatewright/gatewright/generators/haproxy"
	"github.com/gatewright/gatewright/runtime/apply"
)

// isCA says whether a rendered file has the certificates of the CAs that clients are asked for.
func isCA(path string) bool { return strings.HasPrefix(path, haproxy.ClientsFolder) }

// planCAs finds the CAs that change, and says what can't be done without a reload.
func (c *change) planCAs() apply.Update {
	for _, path := range slices.Sorted(maps.Keys(c.next.cas)) {
		if bytes.Equal(c.old.cas[path], c.next.cas[path]) {
			continue
		}
		if n := len(pairText(c.next.cas[path])); n > largest {
			return apply.Update{Reason: fmt.Sprintf("%s has %d bytes, and HAProxy's socket takes %d", path, n, largest), Cause: "certificates"}
		}
		c.cas = append(c.cas, path)
	}
	return apply.Update{}
}

// setCAs gives CAs their certificates. Connections that stand go on, as they do after a reload; every new one is asked for a
// certificate of the new ones, for HAProxy keeps no session where clients show certificates.
func (c *change) setCAs() error {
	for _, path := range c.cas {
		name := word.Replace(path)
		out, err := askWorker(c.ctx, c.socket, "set ssl ca-file "+name+" <<\n"+pairText(c.next.cas[path])+"\n")
		if err == nil && strings.Contains(out, "ransaction") {
			out, err = askWorker(c.ctx, c.socket, "commit ssl ca-file "+name)
		}
		if err == nil && !strings.Contains(out, "Success!") {
			err = fmt.Errorf("HAProxy doesn't take %s: %.200s", path, strings.TrimSpace(out))
			// There may be nothing to abort; the error says what matters.
			_, _ = askWorker(c.ctx, c.socket, "abort ssl ca-file "+name)
		}
		if err != nil {
			return err
		}
	}
	c.did(len(c.cas), "CAs of clients", "certificates")
	return nil
}
