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

// contents keep what is in those objects of a kind that are used, and in no others: of all only the metadata is watched. One
// goroutine at a time reads with them.
type contents[T any, P readable[T]] struct {
	kind string
	// strip takes away from a new object what nobody reads.
	strip func(P)
	log   *slog.Logger
	// again is called when reading is worth another try.
	again func()

	known map[name]P
	// failed are those that can't be read.
	failed map[name]*failedReading
	// world is the one whose resourceVersions they have.
	world *world
}

// readable is a kind of object whose contents are read.
type readable[T any] interface {
	*T
	client.Object
	DeepCopy() *T
}

// failedReading is an object that couldn't be read, and is asked for again after a pause that grows.
type failedReading struct {
	// version is that of the metadata when it was tried.
	version string
	err     error
	since   time.Time
	next    time.Time
	pauses  pauses
}

// secrets are the contents of Secrets, configMaps those of ConfigMaps: of these nobody reads more than the CA certificates.
type (
	secrets    = contents[corev1.Secret, *corev1.Secret]
	configMaps = contents[corev1.ConfigMap, *corev1.ConfigMap]
)

func newSecrets(log *slog.Logger, again func()) *secrets {
	return newContents("Secret", log, again, func(*corev1.Secret) {})
}

func newConfigMaps(log *slog.Logger, again func()) *configMaps {
	return newContents("ConfigMap", log, again, func(m *corev1.ConfigMap) {
		for key := range m.Data {
			if key != corev1.ServiceAccountRootCAKey {
				delete(m.Data, key)
			}
		}
		for key := range m.BinaryData {
			if key != corev1.ServiceAccountRootCAKey {
				delete(m.BinaryData, key)
			}
		}
	})
}

func newContents[T any, P readable[T]](kind string, log *slog.Logger, again func(), strip func(P)) *contents[T, P] {
	return &contents[T, P]{kind: kind, strip: strip, log: log, again: again, known: map[name]P{}, failed: map[name]*failedReading{}}
}

const (
	// readTimeout is how long one object may take to be read, and readersAtOnce how many are read at a time.
	readTimeout   = 3 * time.Second
	readersAtOnce = 16
)

// readings are what came of reading some objects.
type readings[P client.Object] struct {
	objects []P
	// unreadable are those of which nothing is known.
	unreadable []resources.Unreadable
	// since is when the first of them failed first; zero when there is none.
	since time.Time
}

// read returns the objects as their metadata says that they are. One that can't be read now counts as it was, if it ever was
// read; it costs nobody else anything, and is tried again by itself. In another world all are read anew.
func (s *contents[T, P]) read(ctx context.Context, from client.Reader, w *world, list []*metav1.PartialObjectMetadata) readings[P] {
	s.refresh(ctx, from, w, list)
	return s.result(list)
}

// refresh reads the objects whose newest version isn't known.
func (s *contents[T, P]) refresh(ctx context.Context, from client.Reader, w *world, list []*metav1.PartialObjectMetadata) {
	same := s.world == w
	known, failed := make(map[name]P, len(list)), map[name]*failedReading{}
	var asked []*metav1.PartialObjectMetadata
	now := time.Now()
	for _, m := range list {
		key := nameOf(m)
		object, f := s.known[key], s.failed[key]
		switch {
		case same && object != nil && object.GetUID() == m.UID && object.GetResourceVersion() == m.ResourceVersion:
			known[key] = object
			continue
		case f != nil && f.version == m.ResourceVersion && now.Before(f.next):
			failed[key] = f
		default:
			asked = append(asked, m)
		}
		if object != nil {
			// Whatever version it is of, it isn't that of the metadata.
			known[key] = object.DeepCopy()
			known[key].SetResourceVersion("")
		}
	}
	fresh, errs := s.readAll(ctx, from, asked)
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

// fail notes that an object couldn't be read, and sees to the next try.
func (s *contents[T, P]) fail(key name, m *metav1.PartialObjectMetadata, err error) *failedReading {
	f := s.failed[key]
	if f == nil {
		f = &failedReading{since: time.Now(), pauses: pauses{first: firstPause, last: longPause}}
	}
	if f.err == nil || f.err.Error() != err.Error() {
		s.log.Warn("a "+s.kind+" can't be read; what was last read of it, if anything, is used until it can", "object",
			s.kind+" "+key.String(), "error", err)
	}
	f.version, f.err = m.ResourceVersion, err
	pause := f.pauses.take()
	f.next = time.Now().Add(pause)
	time.AfterFunc(pause, s.again)
	return f
}

// result is what is known of the objects of a list.
func (s *contents[T, P]) result(list []*metav1.PartialObjectMetadata) readings[P] {
	out := readings[P]{objects: make([]P, 0, len(list))}
	for _, m := range list {
		key := nameOf(m)
		if object := s.known[key]; object != nil {
			out.objects = append(out.objects, object)
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

// awaited is the error that holds a start back for a while: an object that can't be read may be one that is served now.
func (s *contents[T, P]) awaited(r readings[P]) error {
	if len(r.unreadable) == 0 || time.Since(r.since) >= startPatience {
		return nil
	}
	return fmt.Errorf("can't read %s %s: %s", s.kind, r.unreadable[0].NamespacedName, r.unreadable[0].Why)
}

// readAll reads several at a time.
func (s *contents[T, P]) readAll(ctx context.Context, from client.Reader, list []*metav1.PartialObjectMetadata) ([]P, []error) {
	out, errs := make([]P, len(list)), make([]error, len(list))
	var all sync.WaitGroup
	slots := make(chan struct{}, readersAtOnce)
	for i, m := range list {
		slots <- struct{}{}
		all.Go(func() {
			defer func() { <-slots }()
			out[i], errs[i] = s.readOne(ctx, from, nameOf(m))
		})
	}
	all.Wait()
	return out, errs
}

func (s *contents[T, P]) readOne(ctx context.Context, from client.Reader, key name) (P, error) {
	ctx, cancel := context.WithTimeout(alone(ctx), readTimeout)
	defer cancel()
	object := P(new(T))
	if err := from.Get(ctx, key, object); err != nil {
		if ctx.Err() != nil {
			err = fmt.Errorf("the API server doesn't answer within %s", readTimeout)
		}
		return nil, err
	}
	object.SetManagedFields(nil)
	object.SetAnnotations(nil)
	s.strip(object)
	return object, nil
}
