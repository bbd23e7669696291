package controller

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gatewright/gatewright/controller/status"
)

// writeTimeout is how long one write may take.
const writeTimeout = 10 * time.Second

// write sends a patch. A conflict means that the object has changed meanwhile: it is worked out anew.
func (w *writer) write(ctx context.Context, queue workqueue.TypedRateLimitingInterface[object], o object, d change) {
	log := w.controller.logger(o.kind, o.name)
	// With the resourceVersion in it the API server takes the patch for this version only.
	operations := append([]status.Operation{{Op: "replace", Path: "/metadata/resourceVersion", Value: d.have.GetResourceVersion()}},
		d.Operations...)
	data, err := json.Marshal(operations)
	if err != nil {
		log.Error("the status can't be written", "error", err)
		return
	}
	after := statusKinds[o.kind].empty()
	after.SetNamespace(o.Namespace)
	after.SetName(o.Name)
	var options []client.SubResourcePatchOption
	if w.controller.DryRun {
		options = append(options, client.DryRunAll)
	}
	timed, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	err = w.controller.manager.GetClient().Status().Patch(timed, after, client.RawPatch(types.JSONPatchType, data), options...)
	switch {
	case err == nil:
	case apierrors.IsNotFound(err):
		queue.Forget(o)
		return
	case apierrors.IsConflict(err):
		w.metrics.writes.WithLabelValues(o.kind, "conflict").Inc()
		queue.AddRateLimited(o)
		return
	case ctx.Err() != nil:
		return
	default:
		w.metrics.writes.WithLabelValues(o.kind, "error").Inc()
		log.Error("the status can't be written; it is tried again", "error", err, "patch", string(data))
		w.trouble(o, true)
		queue.AddRateLimited(o)
		return
	}
	queue.Forget(o)
	w.metrics.writes.WithLabelValues(o.kind, "ok").Inc()
	if w.trouble(o, false) {
		log.Info("the status is written after all")
	}
	if w.controller.DryRun {
		log.Info("the status would change", "patch", string(data))
	} else {
		log.Debug("wrote the status", "operations", len(d.Operations))
		w.announce(after, d.Turned)
	}
	w.mu.Lock()
	w.written[o] = written{d.have.GetResourceVersion(), after}
	w.mu.Unlock()
}

// trouble notes whether the status of an object can't be written, and says whether it couldn't before.
func (w *writer) trouble(o object, now bool) (before bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	before = w.troubled[o]
	if now {
		w.troubled[o] = true
	} else {
		delete(w.troubled, o)
	}
	return before
}

// announce makes an Event of everything with the same reason that is refused now and wasn't before: of two Events of one object that differ in the note alone, only the first would be kept.
func (w *writer) announce(about client.Object, refusals []status.Refusal) {
	notes := map[string][]string{}
	for _, r := range refusals {
		note := r.Condition + ": " + r.Message
		if r.Where != "" {
			note = r.Where + ": " + note
		}
		notes[r.Reason] = append(notes[r.Reason], note)
	}
	for reason, texts := range notes {
		w.recorder.Eventf(about, nil, corev1.EventTypeWarning, reason, "UpdateStatus", "%s", shorten(strings.Join(texts, "\n")))
	}
}

// maxNote is the API's limit for the note of an Event, in bytes.
const maxNote = 1024

func shorten(text string) string {
	if len(text) <= maxNote {
		return text
	}
	return strings.ToValidUTF8(text[:maxNote-3], "") + "..."
}
