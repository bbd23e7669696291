package cluster

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/gatewright/gatewright/test/harness"
)

// The files of a cluster's folder.
const (
	authorityFile   = "ca.crt"
	certificateFile = "apiserver.crt"
	keyFile         = "apiserver.key"
	tokensFile      = "tokens.csv"
	kubeconfigFile  = "admin.kubeconfig"
)

// writeCredentials writes what the parts read: the API server's certificate, its key, which signs
// ServiceAccounts' tokens too, and the administrator's token.
func (c *Cluster) writeCredentials() {
	c.t.Helper()
	pair := harness.Certificate(c.t, "kubernetes.default.svc", c.host)
	for name, text := range map[string][]byte{
		authorityFile: harness.Authority(c.t), certificateFile: pair.Certificate, keyFile: pair.Key,
		tokensFile: fmt.Appendf(nil, "%s,admin,admin,\"system:masters\"\n", c.token),
	} {
		if err := os.WriteFile(c.path(name), text, 0o600); err != nil {
			c.t.Fatalf("a credential of the cluster: %v", err)
		}
	}
	c.writeKubeconfig(c.path(kubeconfigFile), c.token)
}

func (c *Cluster) writeKubeconfig(file, token string) {
	c.t.Helper()
	const name = "test"
	err := clientcmd.WriteToFile(clientcmdapi.Config{
		Clusters:       map[string]*clientcmdapi.Cluster{name: {Server: c.URL(), CertificateAuthorityData: harness.Authority(c.t)}},
		AuthInfos:      map[string]*clientcmdapi.AuthInfo{name: {Token: token}},
		Contexts:       map[string]*clientcmdapi.Context{name: {Cluster: name, AuthInfo: name}},
		CurrentContext: name,
	}, file)
	if err != nil {
		c.t.Fatalf("write a kubeconfig: %v", err)
	}
}

// Kubeconfig is the file of the administrator, who may do everything.
func (c *Cluster) Kubeconfig() string { return c.path(kubeconfigFile) }

// Config is the administrator's access. Requests aren't held back.
func (c *Cluster) Config() *rest.Config {
	return &rest.Config{
		Host: c.URL(), BearerToken: c.token, QPS: -1,
		TLSClientConfig: rest.TLSClientConfig{CAData: harness.Authority(c.t)},
	}
}

// ServiceAccount returns the kubeconfig of a ServiceAccount, which is made if it isn't there. It may do what
// the roles that are bound to it allow: nothing at first.
func (c *Cluster) ServiceAccount(namespace, name string) string {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), startLimit)
	defer cancel()
	client, err := kubernetes.NewForConfig(c.Config())
	if err != nil {
		c.t.Fatalf("a client of the cluster: %v", err)
	}
	accounts := client.CoreV1().ServiceAccounts(namespace)
	_, err = accounts.Create(ctx, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		c.t.Fatalf("ServiceAccount %s/%s: %v", namespace, name, err)
	}
	seconds := int64((12 * time.Hour).Seconds())
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: &seconds}}
	answer, err := accounts.CreateToken(ctx, name, request, metav1.CreateOptions{})
	if err != nil {
		c.t.Fatalf("a token for ServiceAccount %s/%s: %v", namespace, name, err)
	}
	file := filepath.Join(harness.TempDir(c.t), "kubeconfig")
	c.writeKubeconfig(file, answer.Status.Token)
	return file
}
