package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/gatewright/gatewright/test/harness"
)

// cost is what the workers of a proxy have taken: processor time in microseconds, by the kernel's count, and
// minor page faults.
type cost struct{ cpu, faults float64 }

func (c cost) time() float64  { return c.cpu }
func (c cost) pages() float64 { return c.faults }

// since is what was spent on each of so many calls.
func (c cost) since(before cost, calls int) cost {
	return cost{(c.cpu - before.cpu) / float64(calls), (c.faults - before.faults) / float64(calls)}
}

// spentBy is what all workers have taken so far, with all of their threads.
func spentBy(t harness.T, p *harness.Process) cost {
	var sum cost
	for _, id := range workers(t, p) {
		threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", id))
		if err != nil || len(threads) == 0 {
			t.Fatalf("worker %d has no threads: %v", id, err)
		}
		for _, thread := range threads {
			sum.cpu += number(t, thread, 0) / 1000
		}
		sum.faults += number(t, fmt.Sprintf("/proc/%d/stat", id), 7)
	}
	return sum
}

// number is a field of a file of numbers; those in front of a name in brackets don't count.
func number(t harness.T, file string, field int) float64 {
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("what a worker has taken: %v", err)
	}
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	n, err := strconv.ParseFloat(fields[field], 64)
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return n
}

func workers(t harness.T, p *harness.Process) []int {
	ids := p.Children()
	if len(ids) == 0 {
		t.Fatalf("the proxy has no workers")
	}
	return ids
}

// workerRSS is the memory of the largest worker.
func workerRSS(t harness.T, p *harness.Process) int64 {
	var most int64
	for _, id := range workers(t, p) {
		most = max(most, procStatus(t, id, "VmRSS"))
	}
	return most
}

// middle is the median of a part of all costs.
func middle(all []cost, part func(cost) float64) float64 {
	values := make([]float64, len(all))
	for i, c := range all {
		values[i] = part(c)
	}
	slices.Sort(values)
	return values[len(values)/2]
}

func microseconds(n float64) string { return fmt.Sprintf("%.1f µs", n) }
