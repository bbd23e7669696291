package resources

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// parallel calls do for 0..n-1 on as many goroutines as there are processors, and returns when all are done.
func parallel(n int, do func(int)) {
	var next atomic.Int64
	var group sync.WaitGroup
	for range min(n, runtime.GOMAXPROCS(0)) {
		group.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				do(i)
			}
		})
	}
	group.Wait()
}
