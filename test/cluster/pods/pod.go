package pods

import (
	"context"
	"net/netip"
	"os/exec"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// grace is how long a process has to end by itself.
const grace = 500 * time.Millisecond

// pod is a Pod that runs, or tries to.
type pod struct {
	kubelet  *kubelet
	object   *corev1.Pod
	cancel   context.CancelFunc
	done     chan struct{}
	root     string
	address  netip.Addr
	restarts int32
	log      podLog
}

// run runs the Pod's first container until the context ends.
func (p *pod) run(ctx context.Context) {
	k := p.kubelet
	program := k.program(p.container().Image)
	if program == "" {
		p.report(ctx, waiting("ErrImageNeverPull"))
		<-ctx.Done()
		return
	}
	address, err := k.network.take()
	if err != nil {
		k.t.Errorf("Pod %s/%s: %v", p.object.Namespace, p.object.Name, err)
		return
	}
	p.address = address
	defer k.network.release(address)
	defer removeAll(k.t, p.root)
	for {
		// A Secret that is mounted may come later than the Pod.
		err := p.prepare(ctx, program)
		if err == nil {
			err = p.runOnce(ctx)
		}
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			k.t.Logf("Pod %s/%s: %v", p.object.Namespace, p.object.Name, err)
		}
		p.restarts++
		p.report(ctx, waiting("CrashLoopBackOff"))
		if !pause(ctx) {
			return
		}
	}
}

func (p *pod) container() *corev1.Container { return &p.object.Spec.Containers[0] }

// runOnce starts the process and returns when it has ended.
func (p *pod) runOnce(ctx context.Context) error {
	cmd, err := p.kubelet.launcher.start(p.kubelet.network, process{
		root: p.root, args: p.container().Args, env: p.environment(), output: &p.log, address: p.address,
	})
	if err != nil {
		return err
	}
	exited := make(chan error, 1)
	go func() { exited <- cmd.Wait() }()
	listening, stop := context.WithCancel(ctx)
	defer stop()
	go func() {
		if awaitListening(listening, cmd.Process.Pid, protocol(p.container())) {
			p.report(listening, running)
		}
	}()
	select {
	case err := <-exited:
		return err
	case <-ctx.Done():
		return terminate(cmd, exited)
	}
}

// terminate asks a process to end, and makes it.
func terminate(cmd *exec.Cmd, exited <-chan error) error {
	_ = cmd.Process.Signal(syscall.SIGTERM) // It may have ended meanwhile.
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case err := <-exited:
		return err
	case <-timer.C:
		_ = cmd.Process.Kill() // Likewise.
		return <-exited
	}
}

// environment are the container's variables.
func (p *pod) environment() []string {
	var out []string
	for _, e := range p.container().Env {
		value := e.Value
		if e.ValueFrom != nil && e.ValueFrom.FieldRef != nil {
			value = p.field(e.ValueFrom.FieldRef.FieldPath)
		}
		out = append(out, e.Name+"="+value)
	}
	return out
}

// field is a field of the Pod that a variable asks for.
func (p *pod) field(path string) string {
	switch path {
	case "metadata.name":
		return p.object.Name
	case "metadata.namespace":
		return p.object.Namespace
	case "metadata.uid":
		return string(p.object.UID)
	case "status.podIP":
		return p.address.String()
	case "spec.nodeName":
		return nodeName
	}
	return ""
}
