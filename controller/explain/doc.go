// Package explain says which rule and backends get a call and why the others don't, for a machine to read and as text. It
// walks the decision tables of generators/matching and can hold the result against the reference evaluator. It is pure and
// imports controller/status, the model, matching and matching/reference.
package explain
