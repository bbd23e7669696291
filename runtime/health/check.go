package health

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
)

// method is what an endpoint is asked by: the health protocol of gRPC.
const method = "/grpc.health.v1.Health/Check"

// maxAnswer is how many bytes of an answer are read: a good one has seven.
const maxAnswer = 1024

// Codes of gRPC.
const (
	codeOK            = "0"
	codeUnimplemented = "12"
)

// serving is the status of a server that takes calls, and statuses are the names of all.
const serving = 1

var statuses = []string{"UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"}

// maxHeaders is how many bytes the headers of an answer may have.
const maxHeaders = 16 << 10

// newTransport speaks HTTP/2 in cleartext, as gRPC does. Each check has a connection of its own, so that none depends on what became of
// an old one.
func newTransport() *http.Transport {
	protocols := &http.Protocols{}
	protocols.SetUnencryptedHTTP2(true)
	return &http.Transport{Protocols: protocols, DisableCompression: true, DisableKeepAlives: true, MaxResponseHeaderBytes: maxHeaders}
}

// check asks an endpoint. An error says in what way it isn't well; one without the health protocol is well, as for gRPC's own clients.
func check(ctx context.Context, client http.RoundTripper, at netip.AddrPort, service string) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+at.String()+method, bytes.NewReader(request(service)))
	if err != nil {
		return err
	}
	r.Header = http.Header{"Content-Type": {"application/grpc"}, "Te": {"trailers"}, "User-Agent": {"gatewright"}}
	answer, err := client.RoundTrip(r)
	if err != nil {
		return err
	}
	defer func() { _ = answer.Body.Close() }() // It was only read from.
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	if err != nil {
		return err
	}
	if kind, _, err := mime.ParseMediaType(answer.Header.Get("content-type")); answer.StatusCode != http.StatusOK || err != nil ||
		!strings.HasPrefix(kind, "application/grpc") {
		return fmt.Errorf("it answers HTTP %d, which isn't gRPC", answer.StatusCode)
	}
	code, message := answer.Header.Get("grpc-status"), answer.Header.Get("grpc-message")
	if code == "" {
		code, message = answer.Trailer.Get("grpc-status"), answer.Trailer.Get("grpc-message")
	}
	switch code {
	case codeOK:
		return read(body)
	case codeUnimplemented:
		return nil
	}
	return fmt.Errorf("grpc-status %q: %.100q", code, message)
}

// request is a HealthCheckRequest with its prefix: field 1 is the service.
func request(service string) []byte {
	var message []byte
	if service != "" {
		message = append(binary.AppendUvarint([]byte{1<<3 | 2}, uint64(len(service))), service...)
	}
	return append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(message))), message...)
}

var errUnreadable = errors.New("its answer isn't a HealthCheckResponse")

// read reads a HealthCheckResponse with its prefix: field 1 is the status.
func read(body []byte) error {
	if len(body) < 5 || body[0] != 0 || uint64(binary.BigEndian.Uint32(body[1:])) != uint64(len(body)-5) {
		return errUnreadable
	}
	status := uint64(0) // What isn't there is 0.
	for message := body[5:]; len(message) > 0; {
		tag, n := binary.Uvarint(message)
		if n <= 0 {
			return errUnreadable
		}
		message = message[n:]
		value, n := binary.Uvarint(message)
		if n <= 0 {
			return errUnreadable
		}
		message = message[n:]
		switch {
		case tag == 1<<3:
			status = value
		case tag&7 == 2 && value <= uint64(len(message)): // Somebody's own, with a length.
			message = message[value:]
		case tag&7 != 0:
			return errUnreadable
		}
	}
	switch {
	case status == serving:
		return nil
	case status < uint64(len(statuses)):
		return errors.New("it is " + statuses[status])
	}
	return errors.New("it has the status " + strconv.FormatUint(status, 10))
}
