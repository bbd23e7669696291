package follow

import (
	"log/slog"
	"strings"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/gatewright/gatewright/controller/status"
)

// refusals are what the log has of what is refused, and of what is served with a warning.
type refusals struct {
	mu               sync.Mutex
	refused, warning map[refusal]status.Refusal
}

// refusedDesc is the metric of what is refused: as many lines as there are conditions that say no.
var refusedDesc = prometheus.NewDesc("gatewright_refused",
	"How many parts of an object (listeners, parentRefs, ancestors, or the whole) a condition refuses.",
	[]string{"kind", "namespace", "name", "condition", "reason"}, nil)

// Describe implements prometheus.Collector.
func (r *refusals) Describe(to chan<- *prometheus.Desc) { to <- refusedDesc }

// Collect implements prometheus.Collector.
func (r *refusals) Collect(to chan<- prometheus.Metric) {
	type line struct{ object, condition, reason string }
	counts := map[line]float64{}
	r.mu.Lock()
	for key, no := range r.refused {
		counts[line{key.object, key.condition, no.Reason}]++
	}
	r.mu.Unlock()
	for l, n := range counts {
		kind, name, _ := strings.Cut(l.object, " ")
		namespace, bare, found := strings.Cut(name, "/")
		if !found {
			namespace, bare = "", name
		}
		to <- prometheus.MustNewConstMetric(refusedDesc, prometheus.GaugeValue, n, kind, namespace, bare, l.condition, l.reason)
	}
}

// refusal is a condition of an object, or of a part of it.
type refusal struct{ object, where, condition string }

// tell makes a line in the log of each condition that refuses something, or warns of it, now and didn't before, or does for another reason,
// and one of each that no longer does.
func (r *refusals) tell(log *slog.Logger, reports []status.Report) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.refused = changed(log, "refused", r.refused, status.Refusals(reports))
	r.warning = changed(log, "served with a warning", r.warning, status.Warnings(reports))
}

// changed tells what differs from the conditions told before, and returns those of now.
func changed(log *slog.Logger, what string, before map[refusal]status.Refusal, list []status.Refusal) map[refusal]status.Refusal {
	now := make(map[refusal]status.Refusal, len(list))
	for _, no := range list {
		key := refusal{no.Object, no.Where, no.Condition}
		now[key] = no
		if told, ok := before[key]; !ok || told != no {
			log.Warn(what, "object", no.Object, "where", no.Where, "condition", no.Condition, "reason", no.Reason, "message", no.Message)
		}
		delete(before, key)
	}
	for key, no := range before {
		log.Info("no longer "+what, "object", key.object, "where", key.where, "condition", key.condition, "reason", no.Reason)
	}
	return now
}
