// Package process knows the processes of this machine as far as running a proxy needs it: which are alive, whose
// children they are, what they are called, who listens at a unix socket. Linux only. It imports nothing of this
// module.
package process
