package examples

import (
	"fmt"
	"net/url"
	"strings"

	"google.golang.org/grpc/metadata"

	"github.com/gatewright/gatewright/test/harness"
)

// emptyMessage is how a command gives curl the message of a call that has no fields.
const emptyMessage = `printf '\0\0\0\0\0' | `

// flags are how many words follow each flag that commands may have.
var flags = map[string]map[string]int{
	"grpcurl": {"-plaintext": 0, "-cacert": 1, "-cert": 1, "-key": 1, "-authority": 1, "-H": 1},
	"curl":    {"-i": 0, "--http1.1": 0, "--cacert": 1, "--resolve": 1, "-X": 1, "-H": 1, "--data-binary": 1},
}

// command is a grpcurl or curl command that was read.
type command struct {
	program string
	flags   map[string][]string
	args    []string
	body    []byte
}

// words splits a command as a shell does that knows single quotes only.
func words(line string) ([]string, error) {
	var out []string
	for rest := strings.TrimSpace(line); rest != ""; rest = strings.TrimLeft(rest, " ") {
		if !strings.HasPrefix(rest, "'") {
			word, after, _ := strings.Cut(rest, " ")
			out, rest = append(out, word), after
			continue
		}
		word, after, closed := strings.Cut(rest[1:], "'")
		if !closed {
			return nil, fmt.Errorf("%s: a quote is open", line)
		}
		out, rest = append(out, word), after
	}
	return out, nil
}

func parse(line string) (*command, error) {
	c := &command{flags: map[string][]string{}}
	if after, ok := strings.CutPrefix(line, emptyMessage); ok {
		line, c.body = after, make([]byte, 5)
	}
	all, err := words(line)
	if err != nil {
		return nil, err
	}
	if len(all) == 0 || flags[all[0]] == nil {
		return nil, fmt.Errorf("%q: it must be a grpcurl or curl command", line)
	}
	c.program = all[0]
	for all = all[1:]; len(all) > 0; {
		word := all[0]
		if !strings.HasPrefix(word, "-") {
			c.args, all = append(c.args, word), all[1:]
			continue
		}
		n, known := flags[c.program][word]
		if !known || len(all) < n+1 {
			return nil, fmt.Errorf("%s: the test doesn't know the flag %s, or its value is missing", line, word)
		}
		c.flags[word], all = append(c.flags[word], all[1:n+1]...), all[n+1:]
		if n == 0 {
			c.flags[word] = []string{""}
		}
	}
	return c, nil
}

func (c *command) flag(name string) string {
	if len(c.flags[name]) == 0 {
		return ""
	}
	return c.flags[name][0]
}

func (c *command) headers() (harness.Fields, error) {
	var out harness.Fields
	for _, h := range c.flags["-H"] {
		name, value, ok := strings.Cut(h, ": ")
		if !ok {
			return nil, fmt.Errorf("-H %q has no colon with a space", h)
		}
		out = append(out, name, value)
	}
	return out, nil
}

// call is what grpcurl would do.
func (c *command) call(client *harness.KeyPair) (harness.Call, error) {
	if len(c.args) != 2 {
		return harness.Call{}, fmt.Errorf("grpcurl takes an address and a method, not %q", c.args)
	}
	headers, err := c.headers()
	call := harness.Call{Address: c.args[0], Authority: c.flag("-authority"), Path: "/" + c.args[1], TLS: c.flags["-plaintext"] == nil,
		Metadata: metadata.Pairs(headers...)}
	if c.flag("-cert") != "" {
		call.Client = client
	}
	return call, err
}

// request is what curl would do.
func (c *command) request() (harness.HTTPRequest, error) {
	if len(c.args) != 1 {
		return harness.HTTPRequest{}, fmt.Errorf("curl takes one address, not %q", c.args)
	}
	u, err := url.Parse(c.args[0])
	if err != nil {
		return harness.HTTPRequest{}, err
	}
	address, ok := strings.CutPrefix(c.flag("--resolve"), u.Host+":")
	if !ok {
		return harness.HTTPRequest{}, fmt.Errorf("--resolve %q isn't for %s", c.flag("--resolve"), u.Host)
	}
	headers, err := c.headers()
	return harness.HTTPRequest{Address: address + ":" + u.Port(), TLS: u.Scheme == "https", SNI: u.Hostname(), Method: c.flag("-X"),
		Target: u.RequestURI(), Host: u.Host, Headers: headers, Body: c.body}, err
}
