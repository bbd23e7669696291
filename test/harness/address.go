package harness

import (
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
)

// claimPort is where a process listens to claim a block of addresses.
const claimPort = 19999

// block hands out the loopback addresses of this process, 127.a.b.1 to 127.a.b.250 of one a.b after the
// other. A listener at 127.a.b.254 keeps other processes off them for as long as this one lives.
var block struct {
	sync.Mutex
	prefix string
	next   int
	claims []net.Listener
}

// Address returns a loopback address that nothing else uses. Every port of it is free.
func Address(t T) string {
	t.Helper()
	block.Lock()
	defer block.Unlock()
	if block.prefix == "" || block.next > 250 {
		if err := claim(); err != nil {
			t.Fatalf("%v", err)
		}
	}
	address := fmt.Sprintf("%s.%d", block.prefix, block.next)
	block.next++
	return address
}

func claim() error {
	var err error
	for range 100 {
		// 127.0.0.0/16 is left to everybody else.
		prefix := fmt.Sprintf("127.%d.%d", 1+rand.IntN(254), rand.IntN(256))
		var l net.Listener
		if l, err = net.Listen("tcp", fmt.Sprintf("%s.254:%d", prefix, claimPort)); err == nil {
			block.prefix, block.next = prefix, 1
			block.claims = append(block.claims, l)
			return nil
		}
	}
	return fmt.Errorf("no block of loopback addresses is free: %w", err)
}

// Unprivileged is the port that stands in for one which only root may bind.
func Unprivileged[P ~int32](port P) P {
	if port < 1024 {
		return port + 20000
	}
	return port
}
