package nginx_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/gatewright/gatewright/runtime/nginx"
	"github.com/gatewright/gatewright/runtime/process"
	"github.com/gatewright/gatewright/test/harness"
)

// TestReloadBeforeWorkers: of a master that has no worker yet, the first ones come with the configuration of before. They are no
// sign that it has read another one.
func TestReloadBeforeWorkers(t *testing.T) {
	each(t, func(s *stand) {
		dir := harness.TempDir(s)
		path := func(name string) string { return filepath.Join(dir, name) }
		config := fmt.Sprintf("pid nginx.pid;\nevents {}\nhttp {\n  access_log off;\n  include part.conf;\n  server { listen %s:8080; }\n}\n",
			s.address)
		if err := errors.Join(os.WriteFile(path("nginx.conf"), []byte(config), 0o600), os.WriteFile(path("part.conf"), nil, 0o600)); err != nil {
			s.Fatal(err)
		}
		master := harness.Start(s, s.binary.Binary, "-e", "stderr", "-p", dir, "-c", path("nginx.conf"), "-g", "daemon off;")
		master.Await("start a worker", harness.DefaultTimeout, func() error {
			if len(process.Children(master.PID())) == 0 || process.Title(process.Children(master.PID())[0]) != "nginx: worker process" {
				return errors.New("it has none")
			}
			return nil
		})
		joined, err := nginx.New(nginx.Options{Binary: s.binary.Binary, Prefix: dir, Config: path("nginx.conf"), Join: path("nginx.pid"),
			Timeout: 10 * time.Second})
		if err != nil {
			s.Fatal(err)
		}
		// When it goes on, the master has its worker to start again, and then waits while it reads its configuration.
		hold := harness.NewHold(s, path("part.conf"))
		master.Signal(unix.SIGSTOP)
		s.kill(process.Children(master.PID())[0])
		done := make(chan error, 1)
		go func() { done <- joined.Reload(context.Background(), "", "") }()
		harness.NotYet(s, done)
		master.Signal(unix.SIGCONT)
		harness.NotYet(s, done)
		hold.Await(master.Log)
		hold.Release("")
		if err := <-done; err != nil {
			s.Error(err)
		}
	})
}
