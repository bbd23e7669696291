package haproxy

import (
	"context"
	"fmt"

	"github.com/gatewright/gatewright/generators/haproxy"
	"github.com/gatewright/gatewright/generators/model"
	"github.com/gatewright/gatewright/runtime/process"
)

// Capabilities asks a binary what it can do (R4). The error names the binary.
func Capabilities(ctx context.Context, binary string) (model.Capabilities, error) {
	out, err := process.Output(ctx, binary, "-vv")
	if err != nil {
		return model.Capabilities{}, err
	}
	c, err := haproxy.ParseCapabilities(out)
	if err != nil {
		return model.Capabilities{}, fmt.Errorf("%s: %w", binary, err)
	}
	c.Origin = binary
	return c, nil
}
