package serve

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/gatewright/gatewright/runtime/bridge"
)

// bridgeMetricsTime is how long a bridge may take to tell its metrics.
const bridgeMetricsTime = 2 * time.Second

// Gather asks the bridge for its metrics. One that doesn't answer has none: what is wrong with it is in the log, and
// gatewright_bridge_running is 0.
func (b *ownBridge) Gather() ([]*dto.MetricFamily, error) {
	if !b.needed.Load() {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), bridgeMetricsTime)
	defer cancel()
	list, _ := bridge.Metrics(ctx, b.status())
	return list, nil
}

// register adds what is known of the bridge without asking for its metrics.
func (b *ownBridge) register(r prometheus.Registerer) {
	r.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "gatewright_bridge_needed",
		Help: "1 once a rule has needed the bridge."}, func() float64 {
		if b.needed.Load() {
			return 1
		}
		return 0
	}), prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "gatewright_bridge_running",
		Help: "1 when calls need the bridge and it serves what it was told, 0 when it doesn't or none need it."}, func() float64 {
		if !b.needed.Load() {
			return 0
		}
		ctx, cancel := context.WithTimeout(context.Background(), bridgeMetricsTime)
		defer cancel()
		if b.serves(ctx, 0) != nil {
			return 0
		}
		return 1
	}))
}
