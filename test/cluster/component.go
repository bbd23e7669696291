package cluster

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"path/filepath"
	"time"

	"github.com/gatewright/gatewright/test/harness"
)

// startLimit is how long a part may take to become ready, on a machine that has other things to do.
const startLimit = 2 * time.Minute

// The parts' ports, on an address that nothing else uses.
const (
	etcdPort      = 2379
	etcdPeerPort  = 2380
	apiServerPort = 6443
	managerPort   = 10257
)

// component is a program of the control plane.
type component struct {
	t       harness.T
	program string
	args    []string
	// health answers 200 when the program is ready.
	health string

	scope   *harness.Scope
	process *harness.Process
}

func (p *component) running() bool { return p.scope != nil }

func (p *component) start() {
	p.t.Helper()
	if p.running() {
		return
	}
	p.scope = harness.NewScope(p.t)
	p.process = harness.Start(p.scope, p.program, p.args...)
	p.process.Await("answer "+p.health, startLimit, p.isReady)
}

// stop kills the program: asked to end, it would wait for its clients. Nothing is lost by it, for what is written
// to a file stays when the one who wrote it dies.
func (p *component) stop() {
	if p.running() {
		p.process.Kill()
		p.scope.End()
		p.scope = nil
	}
}

// prober asks the parts on this machine how they are; who they are needs no proof.
var prober = &http.Client{
	Timeout:   2 * time.Second,
	Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}},
}

func (p *component) isReady() error {
	response, err := prober.Get(p.health)
	if err != nil {
		return err
	}
	if err := response.Body.Close(); err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("it answers %s", response.Status)
	}
	return nil
}

func (c *Cluster) newEtcd(programs string) *component {
	client, peer := fmt.Sprintf("http://%s:%d", c.host, etcdPort), fmt.Sprintf("http://%s:%d", c.host, etcdPeerPort)
	return &component{t: c.t, program: filepath.Join(programs, "etcd"), health: client + "/health", args: []string{
		"--data-dir=" + c.data(), "--listen-client-urls=" + client, "--advertise-client-urls=" + client,
		"--listen-peer-urls=" + peer, "--initial-advertise-peer-urls=" + peer, "--initial-cluster=default=" + peer,
		// The data needn't outlive the machine.
		"--unsafe-no-fsync", "--log-level=warn",
	}}
}

func (c *Cluster) newAPIServer(programs string, o Options) *component {
	more := o.APIServer
	if o.Audit {
		more = append(more, c.auditFlags()...)
	}
	return &component{t: c.t, program: filepath.Join(programs, "kube-apiserver"), health: c.URL() + "/readyz", args: append(more,
		fmt.Sprintf("--etcd-servers=http://%s:%d", c.host, etcdPort),
		"--bind-address="+c.host, "--advertise-address="+c.host, fmt.Sprintf("--secure-port=%d", apiServerPort),
		"--endpoint-reconciler-type=none", "--service-cluster-ip-range=10.96.0.0/16", "--allow-privileged=true",
		"--tls-cert-file="+c.path(certificateFile), "--tls-private-key-file="+c.path(keyFile),
		"--client-ca-file="+c.path(authorityFile), "--token-auth-file="+c.path(tokensFile), "--authorization-mode=RBAC",
		"--service-account-issuer=https://kubernetes.default.svc",
		"--service-account-key-file="+c.path(certificateFile), "--service-account-signing-key-file="+c.path(keyFile),
		// Nodes and volumes play no part.
		"--disable-admission-plugins=DefaultStorageClass,RuntimeClass,PersistentVolumeClaimResize,StorageObjectInUseProtection",
		"--profiling=false",
	)}
}

// controllers are those that make Pods of Deployments and EndpointSlices of Services, and clean up.
const controllers = "deployment-controller,replicaset-controller,endpointslice-controller,namespace-controller," +
	"serviceaccount-controller,root-ca-certificate-publisher-controller,garbage-collector-controller"

func (c *Cluster) newManager(programs string) *component {
	return &component{
		t: c.t, program: filepath.Join(programs, "kube-controller-manager"),
		health: fmt.Sprintf("https://%s:%d/healthz", c.host, managerPort),
		args: []string{
			"--kubeconfig=" + c.path(kubeconfigFile), "--bind-address=" + c.host, fmt.Sprintf("--secure-port=%d", managerPort),
			"--leader-elect=false", "--controllers=" + controllers, "--kube-api-qps=200", "--kube-api-burst=400",
			"--service-account-private-key-file=" + c.path(keyFile), "--root-ca-file=" + c.path(authorityFile),
		},
	}
}
