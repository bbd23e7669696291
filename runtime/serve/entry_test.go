package serve

import (
	"slices"
	"strings"
	"testing"
)

// TestEntryCommand: what starts the proxy with the configuration is added, what names another one is refused.
func TestEntryCommand(t *testing.T) {
	for _, row := range []struct{ command, want, wrong string }{
		{"/x/nginx", "/x/nginx -p /s -c /s/current/nginx.conf -e stderr -g|daemon off;", ""},
		{"/x/nginx -g|daemon off;", "/x/nginx -g|daemon off; -p /s -c /s/current/nginx.conf -e stderr", ""},
		{"/entry.sh nginx -gdaemon|off; -e/log", "/entry.sh nginx -gdaemon|off; -e/log -p /s -c /s/current/nginx.conf", ""},
		{"/x/nginx -p /s/ -c /s/current/nginx.conf -e stderr -g|daemon off;",
			"/x/nginx -p /s/ -c /s/current/nginx.conf -e stderr -g|daemon off;", ""},
		{"/x/nginx -c /etc/nginx.conf", "", "-c /etc/nginx.conf: nginx reads /s/current/nginx.conf here"},
		{"/x/nginx -p", "", "-p has no value"},
		{"/x/nginx -t", "", "-t isn't for an nginx that is to serve"},
		{"/x/nginx start", "", `takes no argument "start"`},
		{"/x/nginx -g|daemon|on;", "", "foreground"},
		{"/x/nginx -g|worker_processes|2;", "", "foreground"},
		{"/x/haproxy", "/x/haproxy -W -S /s/master.sock,mode,600 -f /s/current/haproxy.cfg", ""},
		{"/x/haproxy -Ws -S /run/m -f /etc/a.cfg -f /s/current/haproxy.cfg",
			"/x/haproxy -Ws -S /run/m -f /etc/a.cfg -f /s/current/haproxy.cfg", ""},
		{"/x/haproxy -f /etc/a.cfg", "", "-f /etc/a.cfg: HAProxy reads /s/current/haproxy.cfg here"},
		{"/x/haproxy -D", "", "foreground"},
		{"sleep 5", "", "names no proxy"},
	} {
		o := EntryOptions{Command: words(row.command)}
		o.Sidecar.State.Dir = "/s"
		e, err := NewEntry(o)
		switch {
		case row.wrong != "" && (err == nil || !strings.Contains(err.Error(), row.wrong)):
			t.Errorf("%s: %v, want %s", row.command, err, row.wrong)
		case row.wrong == "" && err != nil:
			t.Errorf("%s: %v", row.command, err)
		case row.wrong == "" && !slices.Equal(e.command, words(row.want)):
			t.Errorf("%s: %q", row.command, e.command)
		}
	}
}

// words divides at spaces, but for what stands behind a bar.
func words(text string) []string {
	var out []string
	for _, word := range strings.Split(strings.ReplaceAll(text, "daemon off;", "daemon|off;"), " ") {
		head, rest, found := strings.Cut(word, "|")
		switch {
		case found && head == "-g":
			out = append(out, head, strings.ReplaceAll(rest, "|", " "))
		case found:
			out = append(out, head+" "+rest)
		default:
			out = append(out, word)
		}
	}
	return out
}
