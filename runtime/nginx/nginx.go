package nginx

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/gatewright/gatewright/generators/model"
	"github.com/gatewright/gatewright/generators/nginx"
)

// Capabilities asks a binary what it can do (R4). The error names the binary.
func Capabilities(ctx context.Context, binary string) (model.Capabilities, error) {
	out, err := exec.CommandContext(ctx, binary, "-V").CombinedOutput()
	if err != nil {
		return model.Capabilities{}, fmt.Errorf("%s -V: %w", binary, withOutput(ctx, err, out))
	}
	c, err := nginx.ParseCapabilities(string(out))
	if err != nil {
		return model.Capabilities{}, fmt.Errorf("%s: %w", binary, err)
	}
	c.Origin = binary
	return c, nil
}

// Validate lets nginx check the configuration that was rendered into a folder in the full layout. The error
// holds nginx's own message.
func Validate(ctx context.Context, binary, dir string) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	out, err := command(ctx, binary, "-t", "-q", "-p", dir, "-c", filepath.Join(dir, "nginx.conf")).CombinedOutput()
	if err != nil {
		return fmt.Errorf("nginx refuses the configuration in %s: %w", dir, withOutput(ctx, err, out))
	}
	return nil
}

// withOutput says what a command printed, when that says more than how it ended.
func withOutput(ctx context.Context, err error, out []byte) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var exit *exec.ExitError
	if text := strings.TrimSpace(string(out)); text != "" && errors.As(err, &exit) {
		return errors.New(text)
	}
	return err
}
