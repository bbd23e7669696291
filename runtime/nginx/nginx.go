package nginx

import (
	"context"
	"fmt"
	"regexp"

	"github.com/gatewright/gatewright/generators/model"
	"github.com/gatewright/gatewright/generators/nginx"
	"github.com/gatewright/gatewright/runtime/process"
)

// Capabilities asks a binary what it can do (R4). The error names the binary.
func Capabilities(ctx context.Context, binary string) (model.Capabilities, error) {
	out, err := process.Output(ctx, binary, "-V")
	if err != nil {
		return model.Capabilities{}, err
	}
	c, err := nginx.ParseCapabilities(out)
	if err != nil {
		return model.Capabilities{}, fmt.Errorf("%s: %w", binary, err)
	}
	c.Origin = binary
	return c, nil
}

// User is whom the workers of a binary run as where its configuration names nobody.
func User(ctx context.Context, binary string) (string, error) {
	out, err := process.Output(ctx, binary, "-V")
	if err != nil {
		return "", err
	}
	if m := userArgument.FindStringSubmatch(out); m != nil {
		return m[1], nil
	}
	return "nobody", nil
}

var userArgument = regexp.MustCompile(`\s--user=([^\s']+)`)
