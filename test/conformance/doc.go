// Conformance runs the official conformance suite of the Gateway API on gatewright: in a network namespace of
// its own it starts a control plane, Pods as processes and `gatewright controller` with a real proxy, and then
// the suite, as test/conformance/suite has it.
package main
