package pods_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gatewright/gatewright/test/cluster"
	"github.com/gatewright/gatewright/test/cluster/isolated"
	"github.com/gatewright/gatewright/test/cluster/pods"
	"github.com/gatewright/gatewright/test/harness"
)

func TestMain(m *testing.M) { os.Exit(isolated.Run(m.Run)) }

const manifests = `
apiVersion: v1
kind: Secret
metadata: {namespace: default, name: words}
stringData: {word: hello}
---
apiVersion: v1
kind: Service
metadata: {namespace: default, name: hello}
spec:
  selector: {app: hello}
  ports: [{port: 80, targetPort: 3000}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {namespace: default, name: hello}
spec:
  replicas: 2
  selector: {matchLabels: {app: hello}}
  template:
    metadata: {labels: {app: hello}}
    spec:
      containers:
      - name: hello
        image: example.com/hello:v1
        env:
        - {name: POD_NAME, valueFrom: {fieldRef: {fieldPath: metadata.name}}}
        - {name: NAMESPACE, valueFrom: {fieldRef: {fieldPath: metadata.namespace}}}
        volumeMounts: [{name: words, mountPath: /etc/words}]
      volumes: [{name: words, secret: {secretName: words}}]
`

// TestPods follows a Deployment from its Pods to what they answer at the addresses of the EndpointSlice, and to
// nothing when it is scaled down.
func TestPods(t *testing.T) {
	c := cluster.Start(t, cluster.Options{Controllers: true})
	pods.Run(t, pods.Options{Config: c.Config(), Programs: map[string]string{"/hello:": build(t)}})
	c.Apply(manifests)
	cl := c.Client()
	for _, address := range awaitEndpoints(t, cl, 2) {
		got := get(t, "http://"+address+":3000")
		if !strings.HasPrefix(got, "default/hello-") || !strings.HasSuffix(got, " says hello") {
			t.Errorf("%s answers %q", address, got)
		}
	}
	wantLogs(t, c, 2)
	c.Apply(strings.Replace(manifests, "replicas: 2", "replicas: 0", 1))
	awaitEndpoints(t, cl, 0)
}

// wantLogs asks the API server for what so many Pods have said, from a time on: each was asked once.
func wantLogs(t *testing.T, c *cluster.Cluster, pods int) {
	t.Helper()
	clientset, err := kubernetes.NewForConfig(c.Config())
	if err != nil {
		t.Fatal(err)
	}
	all := clientset.CoreV1().Pods("default")
	list, err := all.List(t.Context(), metav1.ListOptions{LabelSelector: "app=hello"})
	if err != nil || len(list.Items) != pods {
		t.Fatalf("%d Pods, %v", len(list.Items), err)
	}
	for _, p := range list.Items {
		for since, want := range map[time.Duration]string{-time.Hour: "asked for /\n", time.Hour: ""} {
			from := metav1.NewTime(time.Now().Add(since))
			text, err := all.GetLogs(p.Name, &corev1.PodLogOptions{SinceTime: &from}).DoRaw(t.Context())
			if err != nil || string(text) != want {
				t.Errorf("the log of %s: %q, %v; want %q", p.Name, text, err, want)
			}
		}
	}
}

func build(t *testing.T) string {
	t.Helper()
	program := filepath.Join(harness.TempDir(t), "hello")
	cmd := exec.Command("go", "build", "-o", program, "./testdata/hello")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build the program: %v\n%s", err, out)
	}
	return program
}

// awaitEndpoints returns the addresses that are ready, once there are so many.
func awaitEndpoints(t *testing.T, cl client.Client, want int) []string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		slices := &discoveryv1.EndpointSliceList{}
		if err := cl.List(ctx, slices, client.MatchingLabels{discoveryv1.LabelServiceName: "hello"}); err != nil {
			t.Fatalf("EndpointSlices: %v", err)
		}
		var ready []string
		for _, s := range slices.Items {
			for _, e := range s.Endpoints {
				if e.Conditions.Ready != nil && *e.Conditions.Ready {
					ready = append(ready, e.Addresses...)
				}
			}
		}
		if len(slices.Items) > 0 && len(ready) == want {
			return ready
		}
		select {
		case <-ctx.Done():
			t.Fatalf("endpoints %v, want %d", ready, want)
		case <-tick.C:
		}
	}
}

func get(t *testing.T, url string) string {
	t.Helper()
	text, err := fetch(url)
	if err != nil {
		t.Fatalf("GET %s: %v", url, err)
	}
	return text
}

func fetch(url string) (string, error) {
	response, err := (&http.Client{Timeout: 10 * time.Second}).Get(url)
	if err != nil {
		return "", err
	}
	body, err := io.ReadAll(response.Body)
	if closed := response.Body.Close(); err == nil {
		err = closed
	}
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", response.Status, body)
	}
	return string(body), err
}
