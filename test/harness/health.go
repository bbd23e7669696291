package harness

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// Health is gatewright's own HTTP service, at a unix socket.
type Health string

// Get asks for a path, and returns the status code and the body.
func (s Health) Get(path string) (int, string, error) {
	client := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", string(s))
		},
	}}
	response, err := client.Get("http://gatewright" + path)
	if err != nil {
		return 0, "", err
	}
	body, err := io.ReadAll(response.Body)
	return response.StatusCode, string(body), errors.Join(err, response.Body.Close())
}

// Ready is why the service isn't ready; nil when it is.
func (s Health) Ready() error {
	code, body, err := s.Get("/readyz")
	if err == nil && code != http.StatusOK {
		err = fmt.Errorf("%d %s", code, body)
	}
	return err
}

// Metric is the value of a metric, with its labels in the name; "" when there is none.
func (s Health) Metric(name string) (string, error) {
	_, body, err := s.Get("/metrics")
	for line := range strings.Lines(body) {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			return strings.TrimSpace(value), err
		}
	}
	return "", err
}
