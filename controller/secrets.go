package controller

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// secrets keep the data of the Secrets that are used, and of no others. One goroutine at a time uses them.
type secrets struct {
	known map[name]*corev1.Secret
	// world is the one whose resourceVersions they have.
	world *world
}

func newSecrets() secrets { return secrets{known: map[name]*corev1.Secret{}} }

// secretTimeout is how long one Secret may take to be read.
const secretTimeout = 5 * time.Second

// read returns the Secrets as their metadata says that they are. One that can't be read now counts as it was; the error
// names one of which nothing is known. In another world all are read anew.
func (s *secrets) read(ctx context.Context, from client.Reader, w *world, list []*metav1.PartialObjectMetadata) ([]*corev1.Secret, error) {
	known := make(map[name]*corev1.Secret, len(list))
	out := make([]*corev1.Secret, 0, len(list))
	var failed error
	same := s.world == w
	for _, m := range list {
		key := nameOf(m)
		secret := s.known[key]
		if !same || secret == nil || secret.UID != m.UID || secret.ResourceVersion != m.ResourceVersion {
			fresh, err := readSecret(ctx, from, key)
			switch {
			case err == nil:
				secret = fresh
			case apierrors.IsNotFound(err):
				secret = nil // The event that says so is on its way.
			case secret == nil:
				failed = fmt.Errorf("Secret %s can't be read: %w", key, err)
			default:
				// Whatever version it is of, it isn't that of the metadata.
				secret = secret.DeepCopy()
				secret.ResourceVersion = ""
			}
		}
		if secret != nil {
			known[key] = secret
			out = append(out, secret)
		}
	}
	s.known, s.world = known, w
	return out, failed
}

func readSecret(ctx context.Context, from client.Reader, key name) (*corev1.Secret, error) {
	ctx, cancel := context.WithTimeout(ctx, secretTimeout)
	defer cancel()
	secret := &corev1.Secret{}
	if err := from.Get(ctx, key, secret); err != nil {
		return nil, err
	}
	secret.ManagedFields, secret.Annotations = nil, nil
	return secret, nil
}
