package marker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/gatewright/gatewright/generators"
)

// Ask asks the marker at a socket which generation a proxy serves, which is called that in errors.
func Ask(ctx context.Context, proxy, socket string) (string, error) {
	if socket == "" {
		return "", fmt.Errorf("%s has no marker that tells its generation", proxy)
	}
	client := &http.Client{Timeout: time.Second, Transport: &http.Transport{
		// A connection that is kept would stay with an old worker.
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", socket)
		},
	}}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://marker/generation", nil)
	if err != nil {
		return "", err
	}
	response, err := client.Do(request)
	if err != nil {
		return "", fmt.Errorf("%s doesn't tell its generation: %w", proxy, err)
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, 1024))
	if err = errors.Join(err, response.Body.Close()); err != nil {
		return "", fmt.Errorf("%s doesn't tell its generation: %w", proxy, err)
	}
	if response.StatusCode != http.StatusOK {
		return "", fmt.Errorf("%s doesn't tell its generation: %s", proxy, response.Status)
	}
	return strings.TrimSpace(string(body)), nil
}

// line begins the line that tells a generation.
const line = "# Generation "

// In reads the generation from the head of one of the files: it stands in a comment before anything else.
func In(files []generators.File, path string) (string, error) {
	for _, f := range files {
		if f.Path != path {
			continue
		}
		for text := range strings.Lines(string(f.Data)) {
			if generation, ok := strings.CutPrefix(text, line); ok {
				generation, _, _ = strings.Cut(generation, ",")
				return strings.TrimSpace(generation), nil
			}
			if !strings.HasPrefix(text, "#") && strings.TrimSpace(text) != "" {
				break
			}
		}
	}
	return "", fmt.Errorf(`%s doesn't begin with a line "%s…": the template %s.tmpl must have it`, path, line, path)
}
