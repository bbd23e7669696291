package follow

import (
	"log/slog"
	"sync"

	"github.com/gatewright/gatewright/controller/status"
)

// refusals are what the log has of what is refused.
type refusals struct {
	mu   sync.Mutex
	told map[refusal]status.Refusal
}

// refusal is a condition of an object, or of a part of it.
type refusal struct{ object, where, condition string }

// tell makes a line in the log of each condition that refuses something now and didn't before, or does for another reason, and one of
// each that no longer does.
func (r *refusals) tell(log *slog.Logger, reports []status.Report) {
	r.mu.Lock()
	defer r.mu.Unlock()
	list := status.Refusals(reports)
	now := make(map[refusal]status.Refusal, len(list))
	for _, no := range list {
		key := refusal{no.Object, no.Where, no.Condition}
		now[key] = no
		if before, ok := r.told[key]; !ok || before != no {
			log.Warn("refused", "object", no.Object, "where", no.Where, "condition", no.Condition, "reason", no.Reason, "message", no.Message)
		}
		delete(r.told, key)
	}
	for key, no := range r.told {
		log.Info("no longer refused", "object", key.object, "where", key.where, "condition", key.condition, "reason", no.Reason)
	}
	r.told = now
}
