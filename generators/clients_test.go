package generators_test

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/gatewright/gatewright/generators"
	"github.com/gatewright/gatewright/generators/haproxy"
	"github.com/gatewright/gatewright/generators/model"
	"github.com/gatewright/gatewright/generators/nginx"
	"github.com/gatewright/gatewright/templates"
)

func renderNginx(o generators.Options) error {
	_, err := nginx.New(o).Render(model.Examples(false)[0], nginx.CapabilitiesOf(model.Version{Major: 1, Minor: 26}))
	return err
}

func renderHAProxy(o generators.Options) error {
	_, err := haproxy.New(o).Render(model.Examples(false)[0], haproxy.CapabilitiesOf(model.Version{Major: 3}))
	return err
}

// TestForgetfulTemplates: a template of somebody's own that doesn't ask for certificates of clients is an error, and nobody is let in
// by it; nor are connections kept otherwise than a Gateway says.
func TestForgetfulTemplates(t *testing.T) {
	for _, row := range []struct {
		file, from, to string
		// want is in the error.
		want   string
		render func(generators.Options) error
	}{
		{"nginx/servers.conf.tmpl", "ssl_client_certificate {{.Certificates}};", "", "would ask for", renderNginx},
		{"nginx/servers.conf.tmpl", "{{.Settings}}", "settings.conf", "doesn't include the Settings", renderNginx},
		{"nginx/settings.conf.tmpl", "keepalive_timeout {{.IdleTimeout}};", "", "doesn't write the ConnectionTime, the IdleTimeout", renderNginx},
		{"haproxy/frontend.tmpl", "bind {{.}}", "bind :1", "for a certificate", renderHAProxy},
		{"haproxy/frontend.tmpl", "timeout http-keep-alive {{.}}", "", "doesn't write the KeepAlive", renderHAProxy},
	} {
		text, err := templates.FS.ReadFile(row.file)
		if err != nil {
			t.Fatal(err)
		}
		without := strings.ReplaceAll(string(text), row.from, row.to)
		if without == string(text) {
			t.Fatalf("%s has no %q", row.file, row.from)
		}
		if err := row.render(generators.Options{}); err != nil {
			t.Errorf("%s as it is: %v", row.file, err)
		}
		err = row.render(generators.Options{Templates: fstest.MapFS{row.file: {Data: []byte(without)}}})
		if err == nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s without %q: %v", row.file, row.from, err)
		}
	}
}
