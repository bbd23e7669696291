package endpoints

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"time"

	"github.com/gatewright/gatewright/generators/model"
	"github.com/gatewright/gatewright/runtime/folder"
)

// keptName is the file in the state folder that holds the endpoints. They aren't in nginx's files, and an nginx that
// starts with the last good configuration while nobody can say where its endpoints are would have none.
const keptName = "endpoints.json"

// learntName is the file in the state folder that names the master whose workers have learnt their endpoints once: from
// then on they know some, whatever happens to gatewright.
const learntName = "learnt"

// restore answers what an earlier run has kept, until the first Set.
func (s *Server) restore(file string) error {
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	kept := map[string][]netip.AddrPort{}
	if err == nil {
		err = json.Unmarshal(text, &kept)
	}
	if err != nil {
		return fmt.Errorf("the endpoints that were told last: %w", err)
	}
	all := make(map[string]*list, len(kept))
	for name, endpoints := range kept {
		var known []model.Endpoint
		for _, e := range endpoints {
			known = append(known, model.Endpoint{Address: e.Addr().String(), Port: int32(e.Port())})
		}
		all[name] = newList(known)
	}
	s.answer(all)
	return nil
}

// answer makes lists the ones to answer and tells those who wait.
func (s *Server) answer(all map[string]*list) {
	s.mu.Lock()
	s.lists = all
	out := s.book.set(time.Now(), all)
	s.mu.Unlock()
	s.send(out)
	s.wake()
}

// keep writes the endpoints to a file whenever they have been set, until the server is closed. Nobody waits for it.
func (s *Server) keep(file string) {
	const trouble = "the endpoints can't be kept for a start while nobody tells them"
	keeper := folder.NewKeeper(file, 0o600, folder.Told(s.log, trouble, "the endpoints are kept for a start again"))
	defer func() {
		if err := keeper.Close(); err != nil {
			s.log.Error(trouble, "error", err)
		}
	}()
	for open := true; open; {
		select {
		case <-s.set:
		case <-s.closed:
			open = false
		}
		s.mu.Lock()
		all := s.lists
		s.mu.Unlock()
		if all == nil {
			continue
		}
		text, err := json.Marshal(endpointsOf(all))
		if err != nil {
			s.log.Error(trouble, "error", err)
			continue
		}
		keeper.Put(text)
	}
}

// endpointsOf are the endpoints of lists, by the name that is asked for.
func endpointsOf(all map[string]*list) map[string][]netip.AddrPort {
	out := make(map[string][]netip.AddrPort, len(all))
	for name, l := range all {
		endpoints := []netip.AddrPort{}
		for _, r := range l.records {
			for _, a := range r.target.addresses {
				endpoints = append(endpoints, netip.AddrPortFrom(a, r.port))
			}
		}
		out[name] = endpoints
	}
	return out
}
