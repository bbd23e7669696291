package endpoints_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gatewright/gatewright/generators/model"
	"github.com/gatewright/gatewright/runtime/apply"
	"github.com/gatewright/gatewright/runtime/process"
	"github.com/gatewright/gatewright/test/harness"
)

// BenchmarkUpstreams says what it costs that nginx asks for the endpoints of 1,000 Services, with nothing changing
// and with ten changes a second: percent of one CPU of all nginx workers and of this process, which answers, and
// the memory of the largest worker.
func BenchmarkUpstreams(b *testing.B) {
	for _, p := range harness.Proxies(b) {
		if p.Name != "nginx" || !p.Capabilities.Has(model.FeatureResolve) {
			continue
		}
		for _, changing := range []bool{false, true} {
			b.Run(fmt.Sprintf("%s/changing=%v", p, changing), func(b *testing.B) { upstreams(b, p, changing) })
		}
	}
}

func upstreams(b *testing.B, p harness.Proxy, changing bool) {
	const window = 20 * time.Second
	s := open(b, p)
	services := make([][]model.Endpoint, 1000)
	for i := range services {
		for j := range 3 {
			services[i] = append(services[i], model.Endpoint{Address: fmt.Sprintf("127.200.%d.%d", i/250, i%250+1), Port: int32(8000 + j)})
		}
	}
	start := time.Now()
	s.apply(s.config(services...), apply.Reloaded)
	started := time.Since(start)
	master, err := process.Named(filepath.Join(s.state, "nginx.pid"))
	if err != nil {
		b.Fatal(err)
	}
	if err := s.server.Wait(b.Context(), s.config(services...).Clusters); err != nil {
		b.Fatal(err)
	}
	workers := process.Children(master.PID)
	for b.Loop() {
		nginx, own := cpu(b, workers), ownCPU(b)
		tick := time.NewTicker(100 * time.Millisecond)
		for i := 0; i < int(window/(100*time.Millisecond)); i++ {
			<-tick.C
			if changing {
				services[i%1000] = []model.Endpoint{{Address: "127.201.0.1", Port: int32(8000 + i%100)}}
				s.server.Set(s.config(services...))
			}
		}
		tick.Stop()
		b.ReportMetric(100*(cpu(b, workers)-nginx).Seconds()/window.Seconds(), "workers-%")
		b.ReportMetric(100*(ownCPU(b)-own).Seconds()/window.Seconds(), "answers-%")
	}
	b.ReportMetric(memory(b, workers), "worker-MB")
	b.ReportMetric(float64(started.Milliseconds()), "start-ms")
}

// cpu is the time that processes have used, in the kernel too.
func cpu(b *testing.B, pids []int) time.Duration {
	b.Helper()
	var ticks int
	for _, pid := range pids {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			b.Fatal(err)
		}
		fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
		for _, field := range fields[11:13] {
			n, err := strconv.Atoi(field)
			if err != nil {
				b.Fatal(err)
			}
			ticks += n
		}
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}

func ownCPU(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// memory is the resident memory of the largest process, in MB.
func memory(b *testing.B, pids []int) (most float64) {
	b.Helper()
	for _, pid := range pids {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		if err != nil {
			b.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			if value, ok := strings.CutPrefix(line, "VmRSS:"); ok {
				if kb, err := strconv.ParseFloat(strings.Fields(value)[0], 64); err == nil {
					most = max(most, kb/1024)
				}
			}
		}
	}
	return most
}
