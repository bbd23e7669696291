package haproxy

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/gatewright/gatewright/generators/haproxy"
	"github.com/gatewright/gatewright/generators/model"
)

// Capabilities asks a binary what it can do (R4). The error names the binary.
func Capabilities(ctx context.Context, binary string) (model.Capabilities, error) {
	out, err := exec.CommandContext(ctx, binary, "-vv").CombinedOutput()
	if err != nil {
		return model.Capabilities{}, fmt.Errorf("%s -vv: %w", binary, withOutput(ctx, err, out))
	}
	c, err := haproxy.ParseCapabilities(string(out))
	if err != nil {
		return model.Capabilities{}, fmt.Errorf("%s: %w", binary, err)
	}
	c.Origin = binary
	return c, nil
}

// Validate lets HAProxy check the configuration that was rendered into a folder in the full layout. The error
// holds HAProxy's own message.
func Validate(ctx context.Context, binary, dir string) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	out, err := exec.CommandContext(ctx, binary, "-c", "-f", filepath.Join(dir, "haproxy.cfg")).CombinedOutput()
	if err != nil {
		return fmt.Errorf("HAProxy refuses the configuration in %s: %w", dir, withOutput(ctx, err, out))
	}
	return nil
}

// withOutput says what a command printed, when that says more than how it ended.
func withOutput(ctx context.Context, err error, out []byte) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var exit *exec.ExitError
	if text := alerts(string(out)); text != "" && errors.As(err, &exit) {
		return errors.New(text)
	}
	return err
}

// alerts leaves out the lines that only say which HAProxy speaks.
func alerts(output string) string {
	var kept []string
	for line := range strings.Lines(output) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "[NOTICE]") {
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, "\n")
}
