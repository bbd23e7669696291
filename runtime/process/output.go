package process

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
)

// Output is what a program prints for an argument. The error names both, and says what it printed when that says more than how it
// ended.
func Output(ctx context.Context, program, argument string) (string, error) {
	out, err := exec.CommandContext(ctx, program, argument).CombinedOutput()
	var exit *exec.ExitError
	switch text := strings.TrimSpace(string(out)); {
	case err == nil:
		return string(out), nil
	case ctx.Err() != nil:
		err = ctx.Err()
	case text != "" && errors.As(err, &exit):
		err = errors.New(text)
	}
	return "", fmt.Errorf("%s %s: %w", program, argument, err)
}
