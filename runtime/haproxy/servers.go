package haproxy

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	native "github.com/haproxytech/client-native/v5/runtime"
	"github.com/haproxytech/client-native/v5/runtime/options"
)

// The administrative states of a server.
const (
	ready = "ready"
	maint = "maint"
)

// servers changes the servers of a running worker.
type servers struct {
	native.SingleRuntime
	// defaults are settings that an added server isn't given by the configuration.
	defaults string
}

func newServers(socket, defaults string) (*servers, error) {
	s := &servers{defaults: defaults}
	return s, s.Init(socket, 0, 0, options.RuntimeOptions{DoNotCheckRuntimeOnInit: true})
}

// states are the administrative states of a section's servers.
func (s *servers) states(section string) (map[string]string, error) {
	list, err := s.GetServersState(section)
	if err != nil {
		return nil, err
	}
	out := map[string]string{}
	for _, server := range list {
		if server != nil {
			out[server.Name] = server.AdminState
		}
	}
	return out, nil
}

// add makes a section's wanted servers take calls, and reads back that they do.
func (s *servers) add(section string, want map[string]string) (added int, err error) {
	states, err := s.states(section)
	if err != nil {
		return 0, err
	}
	for _, name := range slices.Sorted(maps.Keys(want)) {
		state, there := states[name]
		if there && state == ready {
			continue
		}
		added++
		if !there {
			if err := s.AddServer(section, name, s.attributes(want[name])); err != nil {
				return added, err
			}
		}
		if err := s.SetServerState(section, name, ready); err != nil {
			return added, err
		}
		if checked(want[name]) {
			if err := s.EnableServerHealth(section, name); err != nil {
				return added, err
			}
		}
	}
	if added == 0 {
		return 0, nil
	}
	if states, err = s.states(section); err != nil {
		return added, err
	}
	for name := range want {
		if states[name] != ready {
			return added, fmt.Errorf("server %s/%s is %q, not ready", section, name, states[name])
		}
	}
	return added, nil
}

// remove lets a section's other servers take no more calls, and removes those that have none. It says whether all
// are gone.
func (s *servers) remove(section string, want map[string]string) (removed int, gone bool, err error) {
	states, err := s.states(section)
	if err != nil {
		return 0, false, err
	}
	gone = true
	for _, name := range slices.Sorted(maps.Keys(states)) {
		if _, ok := want[name]; ok {
			continue
		}
		if states[name] != maint {
			removed++
			if err := s.SetServerState(section, name, maint); err != nil {
				return removed, false, err
			}
		}
		// One with streams stays until they have ended.
		gone = s.DeleteServer(section, name) == nil && gone
	}
	return removed, gone, nil
}

// static are settings with a value that HAProxy doesn't take for a server that is added. Until the next reload
// such a server does without: tcp-ut finds an endpoint that has gone without a word.
var static = []string{"tcp-ut"}

// attributes are the settings of a server that is added: its address stands first.
func (s *servers) attributes(line string) string {
	address, settings, _ := strings.Cut(line, " ")
	words := strings.Fields(s.defaults + " " + settings)
	for i := 0; i < len(words); {
		if slices.Contains(static, words[i]) {
			words = slices.Delete(words, i, min(i+2, len(words)))
			continue
		}
		i++
	}
	return address + " " + strings.Join(words, " ")
}

// checked says whether a server has checks.
func checked(line string) bool { return slices.Contains(strings.Fields(line), "check") }
