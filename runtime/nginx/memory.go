package nginx

import (
	"context"
	"os"
	"os/exec"
)

// memory are settings of glibc for a process that reads nginx's configuration. nginx takes and returns a megabyte for
// every map{}, which by default goes back to the system each time and comes again page by page: that is half of the time
// or more that a check or a reload takes. Other C libraries don't look at them.
var memory = map[string]string{"MALLOC_TRIM_THRESHOLD_": "8388608", "MALLOC_MMAP_THRESHOLD_": "4194304"}

// command is a process that reads a configuration. What the user has set stays.
func command(ctx context.Context, binary string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Env = os.Environ()
	for name, value := range memory {
		if _, ok := os.LookupEnv(name); !ok {
			cmd.Env = append(cmd.Env, name+"="+value)
		}
	}
	return cmd
}
