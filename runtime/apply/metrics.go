package apply

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics are what Prometheus reads of an Applier. A nil one counts nothing.
type Metrics struct {
	applies     *prometheus.CounterVec
	causes      *prometheus.CounterVec
	duration    *prometheus.HistogramVec
	steps       *prometheus.HistogramVec
	quarantined *prometheus.GaugeVec
	lastGood    prometheus.Gauge
	generation  *prometheus.GaugeVec
	inSync      prometheus.Gauge
}

// durations are the buckets' upper ends in seconds: from a change by socket to a reload that doesn't come.
var durations = []float64{.001, .0025, .005, .01, .02, .05, .1, .2, .5, 1, 2, 5, 10, 30}

// NewMetrics registers the metrics. It panics when they are registered already, as the library does.
func NewMetrics(r prometheus.Registerer) *Metrics {
	m := &Metrics{
		applies: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "gatewright_applies_total",
			Help: "Attempts to make the proxy serve a snapshot, by the way it was reached and the result (ok, error)."}, []string{"way", "result"}),
		causes: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "gatewright_changes_total",
			Help: "Changes of what is served, by the way (update, reload) and what made it that one."}, []string{"way", "cause"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "gatewright_apply_duration_seconds", Buckets: durations,
			Help: "From the model to the proof that the proxy serves it."}, []string{"way"}),
		steps: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "gatewright_step_duration_seconds", Buckets: durations,
			Help: "The parts of an apply: render, stage, validate, reload, isolate."}, []string{"step"}),
		quarantined: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "gatewright_quarantined",
			Help: "Parts that are left out because they can't be rendered or the proxy refuses them."}, []string{"kind"}),
		lastGood: prometheus.NewGauge(prometheus.GaugeOpts{Name: "gatewright_last_good_timestamp_seconds",
			Help: "When the proxy was last known to serve what it should."}),
		generation: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "gatewright_generation_info",
			Help: "1 for the generation that the proxy has confirmed last."}, []string{"generation"}),
		inSync: prometheus.NewGauge(prometheus.GaugeOpts{Name: "gatewright_in_sync",
			Help: "1 when the proxy serves the newest snapshot and its files are on disk, 0 when the last attempt at either failed."}),
	}
	r.MustRegister(m.applies, m.causes, m.duration, m.steps, m.quarantined, m.lastGood, m.generation, m.inSync)
	return m
}

func (m *Metrics) observe(out Outcome) {
	if m == nil {
		return
	}
	way := string(out.Way)
	if way == "" {
		way = "none"
	}
	counts := map[PartKind]int{ListenerPart: 0, KeyPairPart: 0, RulePart: 0, ClusterPart: 0}
	for _, c := range out.LeftOut {
		counts[c.Kind]++
	}
	for kind, n := range counts {
		m.quarantined.WithLabelValues(string(kind)).Set(float64(n))
	}
	if out.Err != nil {
		m.applies.WithLabelValues(way, "error").Inc()
		m.inSync.Set(0)
		return
	}
	m.applies.WithLabelValues(way, "ok").Inc()
	m.duration.WithLabelValues(way).Observe(out.Took.Seconds())
	m.inSync.Set(1)
	m.lastGood.SetToCurrentTime()
	m.generation.Reset()
	m.generation.WithLabelValues(out.Generation).Set(1)
	if out.Cause != "" && out.Way != Unchanged {
		m.causes.WithLabelValues(way, out.Cause).Inc()
	}
}

// settled notes whether the files on disk are what the proxy serves.
func (m *Metrics) settled(ok bool) {
	switch {
	case m == nil:
	case ok:
		m.inSync.Set(1)
	default:
		m.inSync.Set(0)
	}
}

func (m *Metrics) step(name string, took time.Duration) {
	if m != nil {
		m.steps.WithLabelValues(name).Observe(took.Seconds())
	}
}
