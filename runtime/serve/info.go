package serve

import (
	"crypto/x509"
	"encoding/pem"
	"runtime"
	"strings"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/gatewright/gatewright/generators/model"
)

// describeBuild registers which gatewright this is.
func describeBuild(r prometheus.Registerer, version string) {
	info(r, "gatewright_build_info", "1 for the gatewright that runs.", prometheus.Labels{"version": version, "goversion": runtime.Version()})
}

// describeProxy registers which proxy serves.
func describeProxy(r prometheus.Registerer, caps *model.Capabilities) {
	info(r, "gatewright_proxy_info", "1 for the proxy that serves, as its binary says.",
		prometheus.Labels{"proxy": caps.Proxy, "version": caps.Version.String()})
}

func info(r prometheus.Registerer, name, help string, labels prometheus.Labels) {
	g := prometheus.NewGauge(prometheus.GaugeOpts{Name: name, Help: help, ConstLabels: labels})
	g.Set(1)
	r.MustRegister(g)
}

// certificates tell when those that are served end.
type certificates struct {
	served atomic.Pointer[[]model.KeyPair]
	ends   *prometheus.Desc
}

func newCertificates(r prometheus.Registerer) *certificates {
	c := &certificates{ends: prometheus.NewDesc("gatewright_certificate_not_after_timestamp_seconds",
		"When a certificate that is served ends, by its Secret.", []string{"namespace", "name"}, nil)}
	r.MustRegister(c)
	return c
}

// Describe implements prometheus.Collector.
func (c *certificates) Describe(to chan<- *prometheus.Desc) { to <- c.ends }

// Collect implements prometheus.Collector. Certificates are read here, which is seldom, rather than at each change.
func (c *certificates) Collect(to chan<- prometheus.Metric) {
	pairs := c.served.Load()
	if pairs == nil {
		return
	}
	for i := range *pairs {
		pair := &(*pairs)[i]
		block, _ := pem.Decode(pair.Certificate)
		if block == nil {
			continue
		}
		leaf, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			continue // A proxy that takes it knows more than this does.
		}
		namespace, name, _ := strings.Cut(pair.Name, "_")
		to <- prometheus.MustNewConstMetric(c.ends, prometheus.GaugeValue, float64(leaf.NotAfter.Unix()), namespace, name)
	}
}
