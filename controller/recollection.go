package controller

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// recollection is what a guard knows, for the next start of the program: a cluster's data may be lost while it doesn't run.
type recollection struct {
	// Cluster is the UID of the Namespace that tells clusters apart, Served what was served of it.
	Cluster types.UID `json:"cluster"`
	Served  []part    `json:"served"`
}

// recall takes what an earlier life of the program knew.
func (g *guard) recall(data []byte) error {
	var r recollection
	if err := json.Unmarshal(data, &r); err != nil {
		return fmt.Errorf("what was served before the start, and of which cluster, can't be read: %w", err)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.served, g.identity = slices.Values(r.Served), r.Cluster
	return nil
}

// recollect is what the next start is to know; nil before anything is.
func (g *guard) recollect() ([]byte, error) {
	g.mu.Lock()
	r, served := recollection{Cluster: g.identity}, g.served
	g.mu.Unlock()
	if served == nil {
		return nil, nil
	}
	r.Served = slices.AppendSeq([]part{}, served)
	var out bytes.Buffer
	err := json.NewEncoder(&out).Encode(r)
	return out.Bytes(), err
}

// rememberPause is how far what is remembered may be behind what is served: what differs is of no importance unless the
// cluster is replaced just then.
const rememberPause = 2 * time.Second

// remember keeps what the guard knows until ctx ends, and then once more.
func (c *Controller) remember(ctx context.Context) {
	known := c.Remembered
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-c.guard.news:
			wait(ctx, rememberPause)
		}
		data, err := c.guard.recollect()
		switch {
		case err != nil:
			c.Log.Error("what is served, and of which cluster, isn't remembered for the next start", "error", err)
		case data != nil && !bytes.Equal(data, known):
			c.Remember(data)
			known = data
		}
	}
}
