package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/go-logr/logr"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/apimachinery/pkg/util/yaml"
	kubescheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/gatewright/gatewright/test/harness"
)

// Channel is a release channel of the Gateway API.
type Channel string

// The channels. Experimental has the fields and kinds of Standard and more.
const (
	Standard     Channel = "standard"
	Experimental Channel = "experimental"
)

// scheme has the kinds that Client knows.
var scheme = sync.OnceValue(func() *runtime.Scheme {
	s := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{kubescheme.AddToScheme, apiextensionsv1.AddToScheme, gatewayv1.Install} {
		utilruntime.Must(add(s))
	}
	return s
})

// quiet keeps the client's library from asking for a logger, unless the test has set one.
var quiet = sync.OnceFunc(func() { log.SetLogger(logr.Discard()) })

const fieldOwner = client.FieldOwner("test")

// InstallGatewayAPI installs the CRDs of the Gateway API, of the version that the module requires, and returns
// when they are served.
func (c *Cluster) InstallGatewayAPI(channel Channel) {
	c.t.Helper()
	cmd := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "sigs.k8s.io/gateway-api")
	cmd.Dir = harness.Root(c.t)
	out, err := cmd.Output()
	if err != nil {
		c.t.Fatalf("where the Gateway API's module is: %v", err)
	}
	files, err := filepath.Glob(filepath.Join(strings.TrimSpace(string(out)), "config", "crd", string(channel), "gateway*.yaml"))
	if err != nil || len(files) == 0 {
		c.t.Fatalf("no CRDs of channel %s: %v", channel, err)
	}
	c.ApplyFiles(files...)
}

// ApplyFiles applies the manifests of files.
func (c *Cluster) ApplyFiles(files ...string) {
	c.t.Helper()
	var all bytes.Buffer
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			c.t.Fatalf("%v", err)
		}
		all.WriteString("---\n")
		all.Write(text)
		all.WriteString("\n")
	}
	c.Apply(all.String())
}

// Apply applies manifests, CRDs first, and returns when CRDs among them are served.
func (c *Cluster) Apply(manifests string) {
	c.t.Helper()
	objects, err := parse(manifests)
	if err != nil {
		c.t.Fatalf("%v", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), startLimit)
	defer cancel()
	cl := c.Client()
	var crds, others []*unstructured.Unstructured
	for _, o := range objects {
		if o.GetKind() == "CustomResourceDefinition" {
			crds = append(crds, o)
		} else {
			others = append(others, o)
		}
	}
	c.applyAll(ctx, cl, crds)
	for _, o := range crds {
		c.awaitServed(ctx, cl, o.GetName())
	}
	c.applyAll(ctx, cl, others)
}

func (c *Cluster) applyAll(ctx context.Context, cl client.Client, objects []*unstructured.Unstructured) {
	c.t.Helper()
	for _, o := range objects {
		if err := cl.Apply(ctx, client.ApplyConfigurationFromUnstructured(o), fieldOwner, client.ForceOwnership); err != nil {
			c.t.Fatalf("apply %s %s/%s: %v", o.GetKind(), o.GetNamespace(), o.GetName(), err)
		}
	}
}

// awaitServed returns when a CRD's kind can be asked for.
func (c *Cluster) awaitServed(ctx context.Context, cl client.Client, name string) {
	c.t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		crd := &apiextensionsv1.CustomResourceDefinition{}
		err := cl.Get(ctx, client.ObjectKey{Name: name}, crd)
		if err == nil {
			err = established(crd)
		}
		if err == nil {
			return
		}
		select {
		case <-ctx.Done():
			c.t.Fatalf("CRD %s isn't served: %v", name, err)
		case <-tick.C:
		}
	}
}

func established(crd *apiextensionsv1.CustomResourceDefinition) error {
	for _, condition := range crd.Status.Conditions {
		if condition.Type == apiextensionsv1.Established && condition.Status == apiextensionsv1.ConditionTrue {
			return nil
		}
	}
	return fmt.Errorf("it isn't established")
}

func parse(manifests string) ([]*unstructured.Unstructured, error) {
	var out []*unstructured.Unstructured
	for d := yaml.NewYAMLOrJSONDecoder(strings.NewReader(manifests), 4096); ; {
		o := &unstructured.Unstructured{}
		err := d.Decode(&o.Object)
		switch {
		case errors.Is(err, io.EOF):
			return out, nil
		case err != nil:
			return nil, fmt.Errorf("a manifest: %w", err)
		case len(o.Object) > 0:
			out = append(out, o)
		}
	}
}

// Client is a client of the administrator that knows Kubernetes' own kinds, the Gateway API's and CRDs; others
// it takes as unstructured.Unstructured. It caches nothing but which kinds there are.
func (c *Cluster) Client() client.WithWatch {
	c.t.Helper()
	quiet()
	cl, err := client.NewWithWatch(c.Config(), client.Options{Scheme: scheme()})
	if err != nil {
		c.t.Fatalf("a client of the cluster: %v", err)
	}
	return cl
}
