package haproxy

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"

	"github.com/gatewright/gatewright/generators/model"
)

// keepAlive is the time of "timeout http-keep-alive" where a Gateway says how long connections stay without a request, or "".
func keepAlive(c *model.Connections) string {
	if c == nil || c.IdleTimeout == 0 {
		return ""
	}
	return strconv.FormatInt(c.IdleTimeout.Milliseconds(), 10) + "ms"
}

// keepsAlive makes sure that templates of somebody's own keep connections for as long as Gateways say.
func keepsAlive(config []byte, list []Frontend) error {
	i := slices.IndexFunc(list, func(f Frontend) bool {
		return f.KeepAlive != "" && !bytes.Contains(config, []byte("timeout http-keep-alive "+f.KeepAlive))
	})
	if i < 0 {
		return nil
	}
	return fmt.Errorf("the template frontend.tmpl doesn't write the KeepAlive of a frontend, so that idle connections of %s would live longer or shorter: "+
		"take over what the built-in one does with it", list[i].Name)
}
