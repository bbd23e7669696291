package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/gatewright/gatewright/controller/translate"
	"github.com/gatewright/gatewright/generators"
	"github.com/gatewright/gatewright/test/harness"
)

// repeats is how often a thing is timed; the median counts.
const repeats = 9

// measureRender times translate and render, from a snapshot in memory to the files' bytes.
func measureRender(t harness.T, proxies []harness.Proxy) {
	rows := [][]string{{"proxy", "routes", "rules", "translate", "render", "both", "a rule", "allocations", "allocated", "peak above before", "files"}}
	for _, p := range proxies {
		for _, k := range routeKinds {
			rows = append(rows, renderRows(t, p, k)...)
		}
	}
	table("Translate and render", rows)
}

// routeKind is a kind of routes, with its workload.
type routeKind struct {
	name     string
	workload func(rules, services int) string
}

var routeKinds = []routeKind{{"GRPCRoute", workload}, {"HTTPRoute", webWorkload}}

func renderRows(t harness.T, p harness.Proxy, kind routeKind) (rows [][]string) {
	for _, rules := range sizes {
		snapshot := harness.Load(t, "", kind.workload(rules, servicesOf(rules)), endpointSlices(servicesOf(rules)))
		generator := p.Generator(generators.Options{})
		var translating, rendering, both []time.Duration
		var size int
		run := func() {
			start := time.Now()
			result := translate.Translate(snapshot, p.Capabilities, translate.Options{})
			result.Reports()
			half := time.Now()
			files, err := generator.Render(result.Gateways, p.Capabilities)
			if err != nil {
				t.Fatalf("render: %v", err)
			}
			end := time.Now()
			translating, rendering, both = append(translating, half.Sub(start)), append(rendering, end.Sub(half)), append(both, end.Sub(start))
			size = 0
			for _, f := range files {
				size += len(f.Data)
			}
		}
		run() // Regular expressions and templates of the process are parsed once.
		peak := peakOf(t, run)
		translating, rendering, both = nil, nil, nil
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for range repeats {
			run()
		}
		runtime.ReadMemStats(&after)
		rows = append(rows, []string{
			p.String(), kind.name, strconv.Itoa(rules), milliseconds(median(translating)), milliseconds(median(rendering)), milliseconds(median(both)),
			fmt.Sprintf("%.1f µs", float64(median(both).Nanoseconds())/1000/float64(rules)),
			strconv.FormatUint((after.Mallocs-before.Mallocs)/repeats, 10), megabytes(int64(after.TotalAlloc-before.TotalAlloc) / repeats),
			megabytes(peak), megabytes(int64(size)),
		})
	}
	return rows
}

// peakOf is by how much the process grew while the function ran, in bytes. Linux keeps the high mark, and
// forgets it on request.
func peakOf(t harness.T, run func()) int64 {
	debug.FreeOSMemory()
	if err := os.WriteFile("/proc/self/clear_refs", []byte("5"), 0); err != nil {
		t.Fatalf("reset the high mark of memory: %v", err)
	}
	before := procStatus(t, os.Getpid(), "VmRSS")
	run()
	return procStatus(t, os.Getpid(), "VmHWM") - before
}

// procStatus is a size in /proc/PID/status, in bytes.
func procStatus(t harness.T, pid int, field string) int64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatalf("memory of process %d: %v", pid, err)
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, field+":"); ok {
			if kb, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64); err == nil {
				return kb << 10
			}
		}
	}
	t.Fatalf("no %s of process %d", field, pid)
	return 0
}

// measureGenerate times the whole program: reading, checking against the schemas, translating, rendering and
// writing.
func measureGenerate(t harness.T, proxies []harness.Proxy) {
	program := harness.Program(t)
	rows := [][]string{{"proxy", "routes", "rules", "input", "wall", "CPU", "peak RSS"}}
	for _, p := range proxies {
		for _, k := range routeKinds {
			rows = append(rows, generateRows(t, p, k, program)...)
		}
	}
	table("The whole generate process", rows)
}

func generateRows(t harness.T, p harness.Proxy, kind routeKind, program string) (rows [][]string) {
	dir := harness.TempDir(t)
	for _, rules := range sizes {
		input := filepath.Join(dir, fmt.Sprintf("%d.yaml", rules))
		text := kind.workload(rules, servicesOf(rules)) + endpointSlices(servicesOf(rules))
		if err := os.WriteFile(input, []byte(text), 0o600); err != nil {
			t.Fatalf("%v", err)
		}
		var wall, cpu []time.Duration
		var peak int64
		for i := range 5 {
			cmd := exec.Command(program, "generate", "-f", input, "-o", filepath.Join(dir, fmt.Sprintf("out-%d-%d", rules, i)),
				"--proxy", p.Name, "--proxy-version", p.Capabilities.Version.String())
			start := time.Now()
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("generate: %v\n%s", err, out)
			}
			wall = append(wall, time.Since(start))
			cpu = append(cpu, cmd.ProcessState.UserTime()+cmd.ProcessState.SystemTime())
			if usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
				peak = max(peak, usage.Maxrss<<10)
			}
		}
		rows = append(rows, []string{
			p.String(), kind.name, strconv.Itoa(rules), megabytes(int64(len(text))), milliseconds(median(wall)), milliseconds(median(cpu)), megabytes(peak),
		})
	}
	return rows
}

func median(all []time.Duration) time.Duration {
	all = slices.Sorted(slices.Values(all))
	return all[len(all)/2]
}

func milliseconds(d time.Duration) string {
	return fmt.Sprintf("%.1f ms", float64(d.Microseconds())/1000)
}

func megabytes(n int64) string { return fmt.Sprintf("%.1f MB", float64(n)/1e6) }
