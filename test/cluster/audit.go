package cluster

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
)

// The files of the audit in the cluster's folder.
const (
	auditPolicyFile = "audit-policy.yaml"
	auditFile       = "audit.log"
)

// auditPolicy keeps who asked for what, and the answer's code: of a watch when it begins, for it ends late.
const auditPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules: [{level: Metadata}]
`

// auditFlags write the policy and make kube-apiserver keep to it.
func (c *Cluster) auditFlags() []string {
	c.t.Helper()
	if err := os.WriteFile(c.path(auditPolicyFile), []byte(auditPolicy), 0o600); err != nil {
		c.t.Fatalf("the policy of the audit: %v", err)
	}
	return []string{"--audit-policy-file=" + c.path(auditPolicyFile), "--audit-log-path=" + c.path(auditFile)}
}

// Request is a request for resources that kube-apiserver has answered.
type Request struct {
	User, Verb, Group, Resource, Subresource, Namespace, Name string
	// Code is the answer's.
	Code int
}

// Requests are all requests for resources so far, of a cluster with Options.Audit.
func (c *Cluster) Requests() []Request {
	c.t.Helper()
	text, err := os.ReadFile(c.path(auditFile))
	if err != nil {
		c.t.Fatalf("the audit: %v", err)
	}
	var out []Request
	for lines := bufio.NewReader(bytes.NewReader(text)); ; {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			// The last line may be half written.
			return out
		}
		var event struct {
			Verb string
			User struct{ Username string }
			// ObjectRef is nil of what isn't a resource.
			ObjectRef      *struct{ APIGroup, Resource, Subresource, Namespace, Name string }
			ResponseStatus struct{ Code int }
		}
		if err := json.Unmarshal(line, &event); err != nil {
			c.t.Fatalf("a line of the audit: %v\n%s", err, line)
		}
		if o := event.ObjectRef; o != nil {
			out = append(out, Request{User: event.User.Username, Verb: event.Verb, Group: o.APIGroup, Resource: o.Resource,
				Subresource: o.Subresource,
				Namespace:   o.Namespace, Name: o.Name, Code: event.ResponseStatus.Code})
		}
	}
}
