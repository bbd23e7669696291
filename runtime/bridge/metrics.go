package bridge

import (
	"strconv"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are what /metrics tells.
type metrics struct {
	calls      *prometheus.CounterVec
	retries    *prometheus.CounterVec
	copies     *prometheus.CounterVec
	late       prometheus.Counter
	overBudget prometheus.Counter
	relieved   prometheus.Counter
	reads      *prometheus.CounterVec

	// byRule are the counters of calls, which are looked up for every call.
	byRule sync.Map // callKey → prometheus.Counter
}

// metricPrefix is what the names of all metrics begin with.
const metricPrefix = "gatewright_bridge_"

type callKey struct {
	rule string
	code string
}

func newMetrics(b *Bridge, r prometheus.Registerer) *metrics {
	counter := func(name, help string) prometheus.Counter {
		c := prometheus.NewCounter(prometheus.CounterOpts{Name: metricPrefix + name, Help: help})
		r.MustRegister(c)
		return c
	}
	vector := func(name, help string, labels ...string) *prometheus.CounterVec {
		v := prometheus.NewCounterVec(prometheus.CounterOpts{Name: metricPrefix + name, Help: help}, labels)
		r.MustRegister(v)
		return v
	}
	gauge := func(name, help string, value func() float64) {
		r.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: metricPrefix + name, Help: help}, value))
	}
	gauge("calls_open", "Calls that are under way.", func() float64 { return float64(b.calls.Load()) })
	gauge("connections", "Connections of the proxy.", func() float64 { return float64(b.connections()) })
	gauge("held_bytes", "Bytes of messages that wait to be written on.", func() float64 { return float64(b.budget.Used()) })
	gauge("held_copy_bytes", "Bytes of messages that wait for mirrors.", func() float64 { return float64(b.copies.Used()) })
	return &metrics{
		calls: vector("calls_total", "Calls that have ended, by the rule that asked for them to pass the bridge, and status of gRPC, or of HTTP for others.",
			"rule", "code"),
		retries:    vector("retries_total", "Calls that were sent again, by rule.", "rule"),
		copies:     vector("copies_total", "Copies for mirrors, by upstream and what became of them.", "upstream", "result"),
		late:       counter("late_total", "Calls that were ended because their time was over."),
		overBudget: counter("over_budget_total", "Retries that the budget had no room for."),
		relieved:   counter("relieved_total", "Calls that were ended because they stood still and what they held was needed."),
		reads:      vector("reads_total", "How often the configuration was read, by result (ok, error).", "result"),
	}
}

// ended counts a call.
func (m *metrics) ended(a *action, code string) {
	key := callKey{code: code}
	if a != nil {
		key.rule = a.source
	}
	counter, ok := m.byRule.Load(key)
	if !ok {
		counter, _ = m.byRule.LoadOrStore(key, m.calls.WithLabelValues(key.rule, code))
	}
	counter.(prometheus.Counter).Inc()
}

// refused counts a request that can't be read.
func (m *metrics) refused(status int) { m.ended(nil, strconv.Itoa(status)) }

func (m *metrics) retried(a *action) { m.retries.WithLabelValues(a.source).Inc() }

func (m *metrics) dropped(u *upstream, why string) { m.copies.WithLabelValues(u.id, why).Inc() }

func (m *metrics) copied(u *upstream) { m.copies.WithLabelValues(u.id, "sent").Inc() }

// forget drops the counters of rules that are no more, so that they don't grow in number for ever.
func (m *metrics) forget(old, now *table) {
	rules := map[string]bool{}
	for _, a := range now.actions {
		rules[a.source] = true
	}
	for _, a := range old.actions {
		if rules[a.source] {
			continue
		}
		m.calls.DeletePartialMatch(prometheus.Labels{"rule": a.source})
		m.retries.DeletePartialMatch(prometheus.Labels{"rule": a.source})
		m.byRule.Range(func(k, _ any) bool {
			if k.(callKey).rule == a.source {
				m.byRule.Delete(k)
			}
			return true
		})
	}
}
