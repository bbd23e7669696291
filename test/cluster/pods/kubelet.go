package pods

import (
	"context"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"

	"github.com/gatewright/gatewright/test/harness"
)

// Options say which Pods to run, and how.
type Options struct {
	// Config is access to the API server that may do everything.
	Config *rest.Config
	// Programs are static binaries by a part of the image's name. A Pod of another image stays Pending.
	Programs map[string]string
	// Prefix are the Pods' addresses; 10.244.0.0/24 when it is zero. The first is the node's own.
	Prefix netip.Prefix
}

// retry is how long to wait before something that failed is tried again.
const retry = 300 * time.Millisecond

// kubelet runs the Pods of a cluster's only node.
type kubelet struct {
	t        harness.T
	client   kubernetes.Interface
	programs map[string]string
	network  *network
	launcher *launcher
	dir      string

	mu      sync.Mutex
	running map[types.UID]*pod
	all     sync.WaitGroup
}

// Run registers a node and runs the cluster's Pods on it until the end of the test. It needs a network
// namespace of its own, see package isolated.
func Run(t harness.T, o Options) {
	t.Helper()
	client, err := kubernetes.NewForConfig(o.Config)
	if err != nil {
		t.Fatalf("a client for the kubelet: %v", err)
	}
	prefix := o.Prefix
	if !prefix.IsValid() {
		prefix = netip.MustParsePrefix("10.244.0.0/24")
	}
	network, err := newNetwork(prefix)
	if err != nil {
		t.Fatalf("the Pods' network: %v", err)
	}
	k := &kubelet{
		t: t, client: client, programs: o.Programs, network: network, launcher: newLauncher(),
		dir: harness.TempDir(t), running: map[types.UID]*pod{},
	}
	ctx, cancel := context.WithCancel(context.Background())
	if err := k.registerNode(ctx); err != nil {
		cancel()
		t.Fatalf("register the node: %v", err)
	}
	if err := k.serveLogs(ctx); err != nil {
		cancel()
		t.Fatalf("the Pods' logs: %v", err)
	}
	k.all.Go(func() { k.watch(ctx) })
	t.Cleanup(func() {
		cancel()
		k.all.Wait()
		k.launcher.end()
		if err := network.remove(); err != nil {
			t.Errorf("the Pods' network: %v", err)
		}
	})
}

func (k *kubelet) watch(ctx context.Context) {
	pods := cache.NewListWatchFromClient(k.client.CoreV1().RESTClient(), "pods", metav1.NamespaceAll, fields.Everything())
	sync := func(o any) {
		if p, ok := o.(*corev1.Pod); ok {
			k.sync(ctx, p)
		}
	}
	_, informer := cache.NewInformerWithOptions(cache.InformerOptions{
		ListerWatcher: pods, ObjectType: &corev1.Pod{},
		Handler: cache.ResourceEventHandlerFuncs{
			AddFunc:    sync,
			UpdateFunc: func(_, o any) { sync(o) },
			DeleteFunc: func(o any) {
				if unknown, ok := o.(cache.DeletedFinalStateUnknown); ok {
					o = unknown.Obj
				}
				if p, ok := o.(*corev1.Pod); ok {
					k.end(p.UID)
				}
			},
		},
	})
	informer.RunWithContext(ctx)
}

// sync brings a Pod one step nearer to what its object asks for; the step's own event brings the next.
func (k *kubelet) sync(ctx context.Context, object *corev1.Pod) {
	switch {
	case object.DeletionTimestamp != nil:
		k.all.Go(func() { k.remove(ctx, object) })
	case object.Spec.NodeName == "":
		k.all.Go(func() { k.bind(ctx, object) })
	case object.Spec.NodeName == nodeName:
		k.start(ctx, object)
	}
}

// bind puts a Pod on the node: there is no scheduler.
func (k *kubelet) bind(ctx context.Context, object *corev1.Pod) {
	err := k.client.CoreV1().Pods(object.Namespace).Bind(ctx, &corev1.Binding{
		ObjectMeta: metav1.ObjectMeta{Name: object.Name, Namespace: object.Namespace, UID: object.UID},
		Target:     corev1.ObjectReference{Kind: "Node", Name: nodeName},
	}, metav1.CreateOptions{})
	if err != nil && !isPast(err) && ctx.Err() == nil {
		k.t.Logf("bind Pod %s/%s: %v", object.Namespace, object.Name, err)
	}
}

func (k *kubelet) start(ctx context.Context, object *corev1.Pod) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.running[object.UID] != nil {
		return
	}
	ctx, cancel := context.WithCancel(ctx)
	p := &pod{kubelet: k, object: object, cancel: cancel, done: make(chan struct{}), root: filepath.Join(k.dir, string(object.UID))}
	k.running[object.UID] = p
	k.all.Go(func() {
		defer close(p.done)
		p.run(ctx)
	})
}

// remove ends a Pod's process and then removes its object, as a kubelet does.
func (k *kubelet) remove(ctx context.Context, object *corev1.Pod) {
	k.end(object.UID)
	now := int64(0)
	err := k.client.CoreV1().Pods(object.Namespace).Delete(ctx, object.Name, metav1.DeleteOptions{
		GracePeriodSeconds: &now, Preconditions: &metav1.Preconditions{UID: &object.UID},
	})
	if err != nil && !isPast(err) && ctx.Err() == nil {
		k.t.Logf("remove Pod %s/%s: %v", object.Namespace, object.Name, err)
	}
}

// end ends a Pod's process and returns when it has ended.
func (k *kubelet) end(uid types.UID) {
	k.mu.Lock()
	p := k.running[uid]
	delete(k.running, uid)
	k.mu.Unlock()
	if p != nil {
		p.cancel()
		<-p.done
	}
}

// program is the binary for an image, or "".
func (k *kubelet) program(image string) string {
	for part, program := range k.programs {
		if strings.Contains(image, part) {
			return program
		}
	}
	return ""
}

// isPast says whether an error means that the object has moved on meanwhile.
func isPast(err error) bool { return apierrors.IsNotFound(err) || apierrors.IsConflict(err) }

// pause waits a little before another try, and says false when it is time to end.
func pause(ctx context.Context) bool {
	timer := time.NewTimer(retry)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

func removeAll(t harness.T, dir string) {
	if err := os.RemoveAll(dir); err != nil {
		t.Logf("remove a Pod's folder: %v", err)
	}
}
