package apply

import "errors"

// AbsentError says that a proxy that somebody else starts isn't there yet. That is no failure: the configuration is written, and it
// is asked again soon.
type AbsentError struct{ Err error }

func (e *AbsentError) Error() string { return "waiting for the proxy: " + e.Err.Error() }

// Unwrap is why it seems not to be there.
func (e *AbsentError) Unwrap() error { return e.Err }

// isAbsent says whether an error is, or has in it, an AbsentError.
func isAbsent(err error) bool {
	var absent *AbsentError
	return errors.As(err, &absent)
}

// logWaiting logs once what is waited for.
func (a *Applier) logWaiting(err error) {
	text := err.Error()
	if a.waiting != text {
		a.Log.Info("waiting for the proxy; the configuration to start it with is written", "current", a.Store.Current(), "because", text)
	}
	a.waiting = text
}
