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

// contents keep the objects of a kind that are used, and no others: all of them are watched by their metadata alone. One goroutine at
// a time reads with them.
type contents[P client.Object] struct {
	kind string
	// empty makes an object to read into.
	empty func() P
	log   *slog.Logger
	// again is called when reading is worth another try.
	again func()

	known map[name]P
	// failed are those that can't be read.
	failed map[name]*failedRead
	// world is the one whose resourceVersions they have.
	world *world
}

// failedRead is an object that couldn't be read, and is asked for again after a pause that grows.
type failedRead struct {
	// version is that of the metadata when it was tried.
	version string
	err     error
	since   time.Time
	next    time.Time
	pauses  pauses
}

func newSecrets(log *slog.Logger, again func()) *contents[*corev1.Secret] {
	return newContents("Secret", func() *corev1.Secret { return &corev1.Secret{} }, log, again)
}

func newConfigMaps(log *slog.Logger, again func()) *contents[*corev1.ConfigMap] {
	return newContents("ConfigMap", func() *corev1.ConfigMap { return &corev1.ConfigMap{} }, log, again)
}

func newContents[P client.Object](kind string, empty func() P, log *slog.Logger, again func()) *contents[P] {
	return &contents[P]{kind: kind, empty: empty, log: log, again: again, known: map[name]P{}, failed: map[name]*failedRead{}}
}

const (
	// readTimeout is how long one object may take to be read, and readers how many are read at a time.
	readTimeout = 3 * time.Second
	readers     = 16
)

// readings are what came of reading some objects.
type readings[P client.Object] struct {
	objects []P
	// unreadable are those of which nothing is known.
	unreadable []resources.Unreadable
	// since is when the first of them failed first; zero when there is none.
	since time.Time
}

// early says why a start isn't to rely on what was read yet; nil for no reason.
func (r *readings[P]) early(kind string) error {
	if len(r.unreadable) == 0 || time.Since(r.since) >= startPatience {
		return nil
	}
	return fmt.Errorf("can't read %s %s: %s", kind, r.unreadable[0].NamespacedName, r.unreadable[0].Why)
}

// read returns the objects as their metadata says that they are. One that can't be read now counts as it was, if it ever was
// read; it costs nobody else anything, and is tried again by itself. In another world all are read anew.
func (s *contents[P]) read(ctx context.Context, from client.Reader, w *world, list []*metav1.PartialObjectMetadata) readings[P] {
	s.refresh(ctx, from, w, list)
	return s.result(list)
}

// refresh reads the objects whose newest version isn't known.
func (s *contents[P]) refresh(ctx context.Context, from client.Reader, w *world, list []*metav1.PartialObjectMetadata) {
	same := s.world == w
	known, failed := make(map[name]P, len(list)), map[name]*failedRead{}
	var asked []*metav1.PartialObjectMetadata
	now := time.Now()
	for _, m := range list {
		key := nameOf(m)
		object, had := s.known[key]
		f := s.failed[key]
		switch {
		case same && had && object.GetUID() == m.UID && object.GetResourceVersion() == m.ResourceVersion:
			known[key] = object
			continue
		case f != nil && f.version == m.ResourceVersion && now.Before(f.next):
			failed[key] = f
		default:
			asked = append(asked, m)
		}
		if had {
			// Whatever version it is of, it isn't that of the metadata.
			known[key] = object.DeepCopyObject().(P)
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
func (s *contents[P]) fail(key name, m *metav1.PartialObjectMetadata, err error) *failedRead {
	f := s.failed[key]
	if f == nil {
		f = &failedRead{since: time.Now(), pauses: pauses{first: firstPause, last: longPause}}
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
func (s *contents[P]) result(list []*metav1.PartialObjectMetadata) readings[P] {
	out := readings[P]{objects: make([]P, 0, len(list))}
	for _, m := range list {
		key := nameOf(m)
		if object, ok := s.known[key]; ok {
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

// readAll reads several at a time.
func (s *contents[P]) readAll(ctx context.Context, from client.Reader, list []*metav1.PartialObjectMetadata) ([]P, []error) {
	out, errs := make([]P, len(list)), make([]error, len(list))
	var all sync.WaitGroup
	slots := make(chan struct{}, readers)
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

func (s *contents[P]) readOne(ctx context.Context, from client.Reader, key name) (P, error) {
	ctx, cancel := context.WithTimeout(alone(ctx), readTimeout)
	defer cancel()
	object := s.empty()
	err := from.Get(ctx, key, object)
	if err != nil && ctx.Err() != nil {
		err = fmt.Errorf("the API server doesn't answer within %s", readTimeout)
	}
	object.SetManagedFields(nil)
	object.SetAnnotations(nil)
	return object, err
}
