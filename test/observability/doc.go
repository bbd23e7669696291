// Package observability tests deploy/observability with promtool, which test/others.sh installs, and with the metrics of a gatewright that runs.
package observability
