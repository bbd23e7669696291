package controller

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/yaml"

	"github.com/gatewright/gatewright/test/cluster"
	"github.com/gatewright/gatewright/test/harness"
)

// right is one thing that may be done.
type right struct {
	// namespace is where; "" for everywhere.
	namespace, group, resource, verb string
	// name, unless "", is the only object that it is about.
	name string
}

func (r right) String() string {
	text := r.verb + " " + r.resource
	if r.group != "" {
		text += "." + r.group
	}
	if r.name != "" {
		text += " " + r.name
	}
	if r.namespace != "" {
		text += " in namespace " + r.namespace
	}
	return text
}

// allows says whether it is the right for a request.
func (r right) allows(q cluster.Request) bool {
	resource := q.Resource
	if q.Subresource != "" {
		resource += "/" + q.Subresource
	}
	return r.verb == q.Verb && r.group == q.Group && r.resource == resource &&
		(r.namespace == "" || r.namespace == q.Namespace) && (r.name == "" || r.name == q.Name)
}

// rightsOf are the rights that rules give.
func rightsOf(namespace string, rules []rbacv1.PolicyRule) []right {
	var out []right
	for _, rule := range rules {
		names := rule.ResourceNames
		if len(names) == 0 {
			names = []string{""}
		}
		for _, group := range rule.APIGroups {
			for _, resource := range rule.Resources {
				for _, verb := range rule.Verbs {
					for _, name := range names {
						out = append(out, right{namespace, group, resource, verb, name})
					}
				}
			}
		}
	}
	return out
}

// missing are what was asked for and refused, and unused what nobody asked for though it would have been allowed.
func missing(requests []cluster.Request) (out []string) {
	for _, q := range requests {
		if q.Code == 403 {
			out = append(out, fmt.Sprintf("%+v", q))
		}
	}
	return out
}

func unused(rights []right, requests []cluster.Request) (out []string) {
	for _, r := range rights {
		if !slices.ContainsFunc(requests, r.allows) {
			out = append(out, r.String())
		}
	}
	return out
}

// demanding is a Gateway that, with optionalObjects, makes gatewright use all of its rights.
const demanding = `---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {namespace: default, name: web}
spec:
  gatewayClassName: gatewright
  allowedListeners: {namespaces: {from: All}}
  tls: {frontend: {default: {validation: {caCertificateRefs: [{group: "", kind: ConfigMap, name: ca}]}}}}
  listeners:
  - {name: web, port: 8080, protocol: HTTP}
  - {name: tls, port: 8443, protocol: HTTPS, tls: {certificateRefs: [{name: pair}]}}
  - {name: far, port: 9090, protocol: UDP}
---
`

// TestRights fails when deploy/controller gives gatewright a right that it doesn't use, or not one that it needs. The API
// server is one that doesn't stream lists, so that they are asked for too.
func TestRights(t *testing.T) {
	t.Parallel()
	l := newAuditedLab(t)
	l.holdTo("deploy/controller/rbac.yaml", rightsIn(t, manifestOf(t, "controller")), "gatewright", "--publish-service", "default/first")
}

// TestRightsOfOneNamespace is the same for deploy/namespaced, with the namespace default in place of its own.
func TestRightsOfOneNamespace(t *testing.T) {
	t.Parallel()
	l := newAuditedLab(t)
	text := regexp.MustCompile(`\bshop\b`).ReplaceAllString(manifestOf(t, "namespaced"), "default")
	l.Apply(text)
	l.holdTo("deploy/namespaced/rbac.yaml", rightsIn(t, text), "default",
		"--publish-service", "default/first", "--watch-namespaces", "default", "--leader-election-namespace", "default")
}

func newAuditedLab(t *testing.T) *lab {
	t.Helper()
	return newLab(t, cluster.Options{Audit: true, APIServer: []string{"--feature-gates=WatchList=false"}})
}

// holdTo has a gatewright with the ServiceAccount gatewright of a namespace use all of the rights of a file, and fails where it
// asks for more.
func (l *lab) holdTo(file string, rights []right, namespace string, flags ...string) {
	l.Helper()
	r := l.newReplica(harness.Newest(harness.Proxies(l))[0], l.ServiceAccount(namespace, "gatewright"))
	r.start(flags...)
	gateways := []string{"web"}
	l.Apply(demanding + harness.Secret("default", "pair", harness.Certificate(l, "h.test")) +
		"---\n" + harness.ConfigMap("default", "ca", string(harness.Authority(l))) + l.service("first", 0) + l.service("second", 0) +
		route("base", "base.Service", gateways, backend{"first", 1}) + route("secure", "secure.Service", gateways, backend{"second", 1}) +
		optionalObjects)
	user := "system:serviceaccount:" + namespace + ":gatewright"
	requests := func() []cluster.Request {
		return slices.DeleteFunc(l.Requests(), func(q cluster.Request) bool { return q.User != user })
	}
	r.await("use all its rights", func() error {
		if left := unused(rights, requests()); len(left) > 0 {
			return errors.New("it doesn't use these of " + file + ": " + strings.Join(left, ", "))
		}
		return nil
	})
	r.end()
	for _, q := range missing(requests()) {
		l.Errorf("%s doesn't allow %s", file, q)
	}
}

// manifestOf is the text of the rbac.yaml of a folder of deploy.
func manifestOf(t *testing.T, folder string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(harness.Root(t), "deploy", folder, "rbac.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// rightsIn are the rights that the Roles and ClusterRoles of a manifest give.
func rightsIn(t *testing.T, text string) []right {
	t.Helper()
	var rights []right
	for _, document := range strings.Split(text, "\n---\n") {
		// Roles and ClusterRoles have the same fields.
		var role rbacv1.Role
		if err := yaml.Unmarshal([]byte(document), &role); err != nil {
			t.Fatal(err)
		}
		rights = append(rights, rightsOf(role.Namespace, role.Rules)...)
	}
	if len(rights) == 0 {
		t.Fatal("the manifest has no rules")
	}
	return rights
}

// TestRightsCatch makes sure that the check itself finds what it is for.
func TestRightsCatch(t *testing.T) {
	rights := rightsOf("", []rbacv1.PolicyRule{
		{APIGroups: []string{""}, Resources: []string{"secrets", "services"}, Verbs: []string{"list"}},
		{APIGroups: []string{""}, Resources: []string{"namespaces"}, Verbs: []string{"get"}, ResourceNames: []string{"kube-system"}},
		{APIGroups: []string{"g"}, Resources: []string{"things/status"}, Verbs: []string{"patch"}},
	})
	rights = append(rights, rightsOf("ns", []rbacv1.PolicyRule{{APIGroups: []string{"g"}, Resources: []string{"leases"},
		Verbs: []string{"get"}}})...)
	requests := []cluster.Request{
		{Verb: "list", Resource: "services", Code: 200},
		{Verb: "get", Resource: "namespaces", Name: "default", Code: 403},
		{Verb: "patch", Group: "g", Resource: "things", Code: 200},
		{Verb: "get", Group: "g", Resource: "leases", Namespace: "other", Code: 200},
	}
	want := "list secrets, get namespaces kube-system, patch things/status.g, get leases.g in namespace ns"
	if got := strings.Join(unused(rights, requests), ", "); got != want {
		t.Errorf("unused rights: %s, want %s", got, want)
	}
	if got := missing(requests); len(got) != 1 || !strings.Contains(got[0], "namespaces") {
		t.Errorf("missing rights: %v, want that for a Namespace", got)
	}
	used := append(requests, cluster.Request{Verb: "list", Resource: "secrets"},
		cluster.Request{Verb: "get", Resource: "namespaces", Name: "kube-system"},
		cluster.Request{Verb: "patch", Group: "g", Resource: "things", Subresource: "status"},
		cluster.Request{Verb: "get", Group: "g", Resource: "leases", Namespace: "ns"})
	if got := unused(rights, used); len(got) > 0 {
		t.Errorf("unused rights: %v, though all are used", got)
	}
}
