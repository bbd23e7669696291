package pods

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// state is what a Pod's status says of its process.
type state struct {
	phase   corev1.PodPhase
	ready   bool
	waiting string
}

var running = state{phase: corev1.PodRunning, ready: true}

func waiting(reason string) state { return state{phase: corev1.PodPending, waiting: reason} }

// report writes the Pod's status, and tries until it is written, the Pod is gone or the context ends.
func (p *pod) report(ctx context.Context, s state) {
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"uid": p.object.UID}, "status": p.status(s)})
	if err != nil {
		p.kubelet.t.Errorf("the status of Pod %s/%s: %v", p.object.Namespace, p.object.Name, err)
		return
	}
	pods := p.kubelet.client.CoreV1().Pods(p.object.Namespace)
	for {
		_, err := pods.Patch(ctx, p.object.Name, types.StrategicMergePatchType, patch, metav1.PatchOptions{}, "status")
		if err == nil || isPast(err) || !pause(ctx) {
			return
		}
	}
}

func (p *pod) status(s state) corev1.PodStatus {
	now := metav1.Now()
	ready := corev1.ConditionFalse
	if s.ready {
		ready = corev1.ConditionTrue
	}
	c := p.container()
	process := corev1.ContainerStatus{
		Name: c.Name, Image: c.Image, ImageID: "process://" + c.Image, Ready: s.ready, Started: &s.ready, RestartCount: p.restarts,
	}
	if s.waiting != "" {
		process.State.Waiting = &corev1.ContainerStateWaiting{Reason: s.waiting}
	} else {
		process.State.Running = &corev1.ContainerStateRunning{StartedAt: now}
	}
	node := p.kubelet.network.node().String()
	out := corev1.PodStatus{
		Phase: s.phase, HostIP: node, HostIPs: []corev1.HostIP{{IP: node}}, StartTime: &now,
		ContainerStatuses: []corev1.ContainerStatus{process},
		Conditions: []corev1.PodCondition{
			{Type: corev1.PodScheduled, Status: corev1.ConditionTrue, LastTransitionTime: now},
			{Type: corev1.PodInitialized, Status: corev1.ConditionTrue, LastTransitionTime: now},
			{Type: corev1.ContainersReady, Status: ready, LastTransitionTime: now},
			{Type: corev1.PodReady, Status: ready, LastTransitionTime: now},
		},
	}
	if p.address.IsValid() {
		out.PodIP = p.address.String()
		out.PodIPs = []corev1.PodIP{{IP: out.PodIP}}
	}
	return out
}

// sockets is where /proc has the sockets of a protocol, and the state of one that a server waits at.
type sockets struct {
	files []string
	state string
}

var (
	tcp = sockets{[]string{"tcp", "tcp6"}, "0A"} // LISTEN
	udp = sockets{[]string{"udp", "udp6"}, "07"} // bound, and to no peer
)

// protocol is UDP for a container that names ports of UDP only.
func protocol(c *corev1.Container) sockets {
	if len(c.Ports) == 0 || slices.ContainsFunc(c.Ports, func(p corev1.ContainerPort) bool { return p.Protocol != corev1.ProtocolUDP }) {
		return tcp
	}
	return udp
}

// awaitListening returns true when a process's network namespace has a server of the protocol.
func awaitListening(ctx context.Context, pid int, s sockets) bool {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if isListening(pid, s) {
			return true
		}
		select {
		case <-ctx.Done():
			return false
		case <-tick.C:
		}
	}
}

// isListening looks for a socket that a server waits at.
func isListening(pid int, s sockets) bool {
	for _, file := range s.files {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/net/%s", pid, file))
		if err != nil {
			continue
		}
		for line := range bytes.Lines(text) {
			if fields := bytes.Fields(line); len(fields) > 3 && string(fields[3]) == s.state {
				return true
			}
		}
	}
	return false
}
