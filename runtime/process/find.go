package process

import (
	"fmt"
	"strings"
)

// Find returns the one process that ours says yes to, for a program whose process id is written nowhere. More
// than one is an error that names them.
func Find(what string, ours func(pid int) bool) (int, error) {
	pids, err := All()
	if err != nil {
		return 0, err
	}
	var found []int
	for _, pid := range pids {
		if ours(pid) && Alive(pid) {
			found = append(found, pid)
		}
	}
	switch len(found) {
	case 0:
		return 0, fmt.Errorf("there is no %s among the processes that are to be seen here", what)
	case 1:
		return found[0], nil
	}
	var names []string
	for _, pid := range found {
		names = append(names, fmt.Sprintf("%d (%.80s)", pid, Title(pid)))
	}
	return 0, fmt.Errorf("there is more than one %s, %s: say which by its pid file", what, strings.Join(names, ", "))
}
