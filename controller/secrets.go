package controller

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gatewright/gatewright/controller/resources"
)

// secrets keep the data of the Secrets that are used, and of no others. One goroutine at a time reads with them.
type secrets struct {
	log *slog.Logger
	// again is called when reading is worth another try.
	again func()

	known map[name]*corev1.Secret
	// failed are those that can't be read.
	failed map[name]*failedSecret
	// world is the one whose resourceVersions they have.
	world *world
}

// failedSecret is one that couldn't be read, and is asked for again after a pause that grows.
type failedSecret struct {
	// version is that of the metadata when it was tried.
	version string
	err     error
	since   time.Time
	next    time.Time
	pauses  pauses
}

func newSecrets(log *slog.Logger, again func()) *secrets {
	return &secrets{log: log, again: again, known: map[name]*corev1.Secret{}, failed: map[name]*failedSecret{}}
}

const (
	// secretTimeout is how long one Secret may take to be read, and secretReaders how many are read at a time.
	secretTimeout = 3 * time.Second
	secretReaders = 16
)

// readings are what came of reading some Secrets.
type readings struct {
	secrets []*corev1.Secret
	// unreadable are those of which nothing is known.
	unreadable []resources.Unreadable
	// since is when the first of them failed first; zero when there is none.
	since time.Time
}

// read returns the Secrets as their metadata says that they are. One that can't be read now counts as it was, if it ever was
// read; it costs nobody else anything, and is tried again by itself. In another world all are read anew.
func (s *secrets) read(ctx context.Context, from client.Reader, w *world, list []*metav1.PartialObjectMetadata) readings {
	s.refresh(ctx, from, w, list)
	return s.result(list)
}

// refresh reads the Secrets whose newest version isn't known.
func (s *secrets) refresh(ctx context.Context, from client.Reader, w *world, list []*metav1.PartialObjectMetadata) {
	same := s.world == w
	known, failed := make(map[name]*corev1.Secret, len(list)), map[name]*failedSecret{}
	var asked []*metav1.PartialObjectMetadata
	now := time.Now()
	for _, m := range list {
		key := nameOf(m)
		secret, f := s.known[key], s.failed[key]
		switch {
		case same && secret != nil && secret.UID == m.UID && secret.ResourceVersion == m.ResourceVersion:
			known[key] = secret
			continue
		case f != nil && f.version == m.ResourceVersion && now.Before(f.next):
			failed[key] = f
		default:
			asked = append(asked, m)
		}
		if secret != nil {
			// Whatever version it is of, it isn't that of the metadata.
			known[key] = secret.DeepCopy()
			known[key].ResourceVersion = ""
		}
	}
	fresh, errs := readSecrets(ctx, from, asked)
	for i, m := range asked {
		key := nameOf(m)
		switch err := errs[i]; {
		case err == nil:
			known[key] = fresh[i]
		case apierrors.IsNotFound(err):
			delete(known, key) // The event that says so is on its way.
		default:
			failed[key] = s.fail(key, m, err)
		}
	}
	s.known, s.failed, s.world = known, failed, w
}

// fail notes that a Secret couldn't be read, and sees to the next try.
func (s *secrets) fail(key name, m *metav1.PartialObjectMetadata, err error) *failedSecret {
	f := s.failed[key]
	if f == nil {
		f = &failedSecret{since: time.Now(), pauses: pauses{first: firstPause, last: longPause}}
	}
	if f.err == nil || f.err.Error() != err.Error() {
		s.log.Warn("a Secret can't be read; what was last read of it, if anything, is used until it can", "object",
			"Secret "+key.String(), "error", err)
	}
	f.version, f.err = m.ResourceVersion, err
	pause := f.pauses.take()
	f.next = time.Now().Add(pause)
	time.AfterFunc(pause, s.again)
	return f
}

// result is what is known of the Secrets of a list.
func (s *secrets) result(list []*metav1.PartialObjectMetadata) readings {
	out := readings{secrets: make([]*corev1.Secret, 0, len(list))}
	for _, m := range list {
		key := nameOf(m)
		if secret := s.known[key]; secret != nil {
			out.secrets = append(out.secrets, secret)
			continue
		}
		if f := s.failed[key]; f != nil {
			out.unreadable = append(out.unreadable, resources.Unreadable{NamespacedName: key, Why: f.err.Error()})
			if out.since.IsZero() || f.since.Before(out.since) {
				out.since = f.since
			}
		}
	}
	slices.SortFunc(out.unreadable, func(a, b resources.Unreadable) int { return strings.Compare(a.String(), b.String()) })
	return out
}

// readSecrets reads several at a time.
func readSecrets(ctx context.Context, from client.Reader, list []*metav1.PartialObjectMetadata) ([]*corev1.Secret, []error) {
	out, errs := make([]*corev1.Secret, len(list)), make([]error, len(list))
	var all sync.WaitGroup
	slots := make(chan struct{}, secretReaders)
	for i, m := range list {
		slots <- struct{}{}
		all.Go(func() {
			defer func() { <-slots }()
			out[i], errs[i] = readSecret(ctx, from, nameOf(m))
		})
	}
	all.Wait()
	return out, errs
}

func readSecret(ctx context.Context, from client.Reader, key name) (*corev1.Secret, error) {
	ctx, cancel := context.WithTimeout(alone(ctx), secretTimeout)
	defer cancel()
	secret := &corev1.Secret{}
	if err := from.Get(ctx, key, secret); err != nil {
		if ctx.Err() != nil {
			err = fmt.Errorf("the API server doesn't answer within %s", secretTimeout)
		}
		return nil, err
	}
	secret.ManagedFields, secret.Annotations = nil, nil
	return secret, nil
}
