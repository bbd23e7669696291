// Package status builds the conditions that objects get, writes them as YAML and says which of them refuse
// something. It imports API types and controller/referent.
package status
