package nginx

import (
	"bytes"
	"fmt"
	"strconv"
	"text/template"
	"time"

	"github.com/gatewright/gatewright/generators"
	"github.com/gatewright/gatewright/generators/matching"
	"github.com/gatewright/gatewright/generators/model"
)

// settingsFile is what server{} blocks include whose Gateway has no settings of its own, and settingsTemplate writes the others too.
const (
	settingsFile     = "settings.conf"
	settingsTemplate = "settings.conf.tmpl"
	serversFile      = "servers.conf"
)

// idleTimeout is how long connections stay without a request where nobody says.
const idleTimeout = "1h"

// settings are a Gateway's own.
type settings struct {
	file        string
	connections *model.Connections
}

// settingsOf is the file with the settings of a port's servers: one for each Gateway that has its own. nginx looks at those of the first
// server of an address and port before it knows a host, and all of them are of one Gateway.
func (s *servers) settingsOf(p *matching.Port) string {
	if p.Connections == nil {
		return settingsFile
	}
	file := "settings." + s.blocks.ids.Of("settings "+p.Listeners[0].Gateway) + ".conf"
	for _, known := range s.settings {
		if known.file == file {
			return file
		}
	}
	s.settings = append(s.settings, settings{file, p.Connections})
	return file
}

// ownSettings are the files of Gateways that have settings of their own.
func (v *View) ownSettings(parsed *template.Template) ([]generators.File, error) {
	var files []generators.File
	for _, s := range v.settings {
		own := *v
		own.ConnectionTime = connectionTime(v.Version, s.connections.MaxAge)
		if s.connections.IdleTimeout > 0 {
			own.IdleTimeout = milliseconds(s.connections.IdleTimeout)
		}
		own.Limits = v.Limits.With(s.connections.MaxStreams)
		var b bytes.Buffer
		if err := parsed.ExecuteTemplate(&b, settingsTemplate, &own); err != nil {
			return nil, fmt.Errorf("template %s: %w", settingsTemplate, err)
		}
		files = append(files, generators.File{Path: s.file, Data: b.Bytes()})
		for _, value := range []string{own.ConnectionTime, own.IdleTimeout, strconv.Itoa(own.Limits.Streams)} {
			if !bytes.Contains(b.Bytes(), []byte(value)) {
				return nil, fmt.Errorf("the template %s doesn't write the ConnectionTime, the IdleTimeout and the Limits.Streams, which Gateways may "+
					"have of their own: take over what the built-in one does with them", settingsTemplate)
			}
		}
	}
	return files, nil
}

// includesSettings makes sure that templates of somebody's own have each server{} keep the settings of its Gateway.
func (v *View) includesSettings(servers []byte) error {
	for _, s := range v.settings {
		if !bytes.Contains(servers, []byte(s.file)) {
			return fmt.Errorf("the template servers.conf.tmpl doesn't include the Settings of a server{}, and others would be kept: " +
				"take over what the built-in one does with them")
		}
	}
	return nil
}

// connectionTime is a day unless somebody says, for nothing is won by a new connection, but in versions before 1.27.1. There a connection
// that is accepted before a reload and begins to speak HTTP/2 after it isn't told to go away: for as long as it lives,
// its calls are answered by the old configuration.
func connectionTime(v model.Version, most time.Duration) string {
	age := 24 * time.Hour
	if !v.AtLeast(1, 27, 1) {
		age = time.Minute
	}
	switch {
	case most > 0 && most < age:
		return milliseconds(most)
	case age < time.Hour:
		return "1m"
	}
	return "24h"
}
