package serve

import (
	"io/fs"
	"os"
	"testing"
)

// TestBridgeConfigMode: a configuration with a private key is for the bridge alone, one without for its group too (R44).
func TestBridgeConfigMode(t *testing.T) {
	b := &ownBridge{dir: t.TempDir()}
	for _, c := range []struct {
		secret bool
		want   fs.FileMode
	}{{false, 0o640}, {true, 0o400}, {true, 0o400}, {false, 0o640}} {
		if err := b.write([]byte("{}"), c.secret); err != nil {
			t.Fatal(err)
		}
		if info, err := os.Stat(b.config()); err != nil || info.Mode() != c.want {
			t.Errorf("secret %t: mode %v (%v), want %v", c.secret, info.Mode(), err, c.want)
		}
	}
}
