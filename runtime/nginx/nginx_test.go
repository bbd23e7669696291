package nginx_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gatewright/gatewright/generators/model"
	"github.com/gatewright/gatewright/runtime/nginx"
)

func binaries(t *testing.T) []string {
	t.Helper()
	out, err := exec.Command("../../test/proxies.sh", "--list").Output()
	if err != nil {
		t.Fatalf("test/proxies.sh --list: %v", err)
	}
	var all []string
	for _, path := range strings.Fields(string(out)) {
		if filepath.Base(path) == "nginx" {
			all = append(all, path)
		}
	}
	if len(all) == 0 {
		t.Fatal("test/proxies.sh --list names no nginx")
	}
	return all
}

func TestCapabilities(t *testing.T) {
	for _, b := range binaries(t) {
		c, err := nginx.Capabilities(t.Context(), b)
		if err != nil {
			t.Fatal(err)
		}
		if c.Origin != b || c.Proxy != "nginx" || !c.Version.AtLeast(1, 22, 0) || !c.Has(model.FeatureGRPC) {
			t.Errorf("%s: %+v", b, c)
		}
	}
	if _, err := nginx.Capabilities(t.Context(), "/bin/echo"); err == nil || !strings.Contains(err.Error(), "/bin/echo") {
		t.Errorf("a program that is no nginx: %v", err)
	}
	missing := filepath.Join(t.TempDir(), "nginx")
	if _, err := nginx.Capabilities(t.Context(), missing); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no program: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := nginx.Capabilities(ctx, binaries(t)[0]); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled context: %v", err)
	}
}
