// Package matching turns the rules of a model into decision tables: precedence (R12), isolation of listeners
// (R7) and fall-through, worked out once for every proxy. Generators render the tables and explain walks
// them; neither decides anything about order again. It imports the model only.
//
// A request's host finds a Class of its port, and the class its first Scope. A scope has stages in order; each
// looks one key of the request up and finds candidates in order. The first candidate whose conditions all hold
// wins. When no stage has one, the scope's parent goes on. When there is no parent, no rule matches (R13).
package matching
