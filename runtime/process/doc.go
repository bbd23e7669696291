// Package process knows the processes of this machine as far as running a proxy needs it: which are alive, whose
// children they are, what they are called, who listens where. Signals go to an ID only, which is one process for certain,
// and one that this module didn't start itself is told from others by its Kind (R44). Linux only. It imports nothing of
// this module.
package process
