// Package outcome completes the status of every object with what the proxy made of it. It imports
// controller/status, generators/model and runtime/apply.
package outcome
