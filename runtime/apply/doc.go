// Package apply brings a model to a running proxy: it renders, stages, validates, switches, reloads and confirms,
// leaves out what the proxy itself refuses (R31), and keeps the last good configuration (R33). It imports
// generators, generators/model and runtime/folder. Each proxy implements Proxy and names its Hooks.
package apply
