// Package answers has what the proxies answer by themselves: one text for one cause, whichever proxy says it
// (R18). It is pure and imports the model only.
package answers
