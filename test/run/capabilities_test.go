package run

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gatewright/gatewright/runtime/nginx"
	"github.com/gatewright/gatewright/test/harness"
)

// TestWithoutHTTP2 runs a real nginx that was built without HTTP/2 (R2): its listeners say what is missing.
func TestWithoutHTTP2(t *testing.T) {
	build := exec.Command("sh", filepath.Join(harness.Root(t), "test", "nginx-without-http2.sh"))
	build.Stderr = os.Stderr
	out, err := build.Output()
	if err != nil {
		t.Fatalf("test/nginx-without-http2.sh: %v", err)
	}
	binary := strings.TrimSpace(string(out))
	caps, err := nginx.Capabilities(t.Context(), binary)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range harness.Proxies(t) {
		if p.Name != "nginx" {
			continue
		}
		p.Binary, p.Capabilities = binary, caps
		g := newGateway(t, p)
		g.start()
		g.status("reason: UnsupportedProtocol", "was built without --with-http_v2_module")
		return
	}
}
