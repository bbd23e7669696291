package calls

import (
	"regexp"
	"strconv"
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/gatewright/gatewright/generators/answers"
)

// The most methods of a rule that are told apart, the most combinations of labels, and how long a method's name may be.
const (
	maxMethods = 200
	maxSeries  = 50_000
	maxName    = 200
)

// other stands for what isn't told apart.
const other = "other"

// Counter counts calls.
type Counter struct {
	calls     *prometheus.CounterVec
	durations *prometheus.HistogramVec
	// methods are those that are told apart, by rule, and series all labels in use.
	methods map[string]map[string]bool
	series  map[[7]string]prometheus.Counter
	timed   map[[3]string]prometheus.Observer
}

// NewCounter returns a counter whose metrics r has.
func NewCounter(r prometheus.Registerer) *Counter {
	c := &Counter{
		calls: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "gatewright_calls_total",
			Help: "Calls that the proxy has answered, by rule, Service, method and the gRPC status or HTTP status; " +
				`code "-" is a gRPC status in trailers, which HAProxy can't see.`},
			[]string{"gateway", "kind", "route", "rule", "service", "method", "code"}),
		durations: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "gatewright_call_duration_seconds",
			Help:    "How long calls took, from the request's first byte to the answer's last one.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 60}},
			[]string{"kind", "route", "rule"}),
		methods: map[string]map[string]bool{}, series: map[[7]string]prometheus.Counter{}, timed: map[[3]string]prometheus.Observer{},
	}
	r.MustRegister(c.calls, c.durations)
	return c
}

// Count counts a call. It isn't for several goroutines at once.
func (c *Counter) Count(call *Call) {
	kind, route, rule := ruleOf(call.Rule)
	code := call.Code
	if code == "" {
		code = strconv.Itoa(call.Status)
	}
	labels := [7]string{call.Gateway, kind, route, rule, serviceOf(call.Service), c.method(call, kind), code}
	counter, ok := c.series[labels]
	if !ok {
		if len(c.series) >= maxSeries {
			labels = [7]string{other, other, other, other, other, other, other}
		}
		counter = c.calls.WithLabelValues(labels[:]...)
		c.series[labels] = counter
	}
	counter.Inc()
	if rule == "" {
		return
	}
	by := [3]string{kind, route, rule}
	observer, ok := c.timed[by]
	if !ok {
		if len(c.timed) >= maxSeries {
			return
		}
		observer = c.durations.WithLabelValues(by[:]...)
		c.timed[by] = observer
	}
	observer.Observe(call.Duration.Seconds())
}

// The names of methods of gRPC, and the methods of HTTP that are told apart.
var (
	grpcMethod  = regexp.MustCompile(`^/([A-Za-z_][A-Za-z0-9_.]*/[A-Za-z_][A-Za-z0-9_]*)$`)
	httpMethods = map[string]bool{"GET": true, "HEAD": true, "POST": true, "PUT": true, "DELETE": true, "PATCH": true, "OPTIONS": true}
)

// method is the label for a call's method: SERVICE/METHOD of a GRPCRoute's, once a call of it has ended as none does that no endpoint
// serves; the HTTP method of others.
func (c *Counter) method(call *Call, kind string) string {
	if kind != "GRPCRoute" {
		if httpMethods[call.Method] {
			return call.Method
		}
		return other
	}
	name := strings.TrimPrefix(call.Path, "/")
	known := c.methods[call.Rule]
	if known[name] {
		return name
	}
	served := call.Code != "UNIMPLEMENTED" && call.Code != "UNAVAILABLE" && call.Status == 200
	if !served || len(known) >= maxMethods || len(name) > maxName || !grpcMethod.MatchString(call.Path) {
		return other
	}
	if known == nil {
		known = map[string]bool{}
		c.methods[call.Rule] = known
	}
	known[name] = true
	return name
}

// ruleOf takes the name of a rule apart: "GRPCRoute ns/name rule 0 (canary)" is GRPCRoute, ns/name and canary; a rule without a name is
// its number.
func ruleOf(text string) (kind, route, rule string) {
	kind, rest, _ := strings.Cut(text, " ")
	route, rule, _ = strings.Cut(rest, " rule ")
	if _, name, ok := strings.Cut(rule, " ("); ok {
		rule = strings.TrimSuffix(name, ")")
	}
	return kind, route, rule
}

// serviceOf is "ns/name:80" for "Service ns/name port 80", through the bridge or not.
func serviceOf(text string) string {
	name, port, _ := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(text, answers.Bridge), "Service "), " port ")
	if port == "" {
		return name
	}
	return name + ":" + port
}
