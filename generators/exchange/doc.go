// Package exchange is the protocol between gatewright and generators that are programs of their own (docs/exec-generators.md): a
// request with the model as JSON, and an answer with files. It runs nothing. It imports generators and the model.
package exchange
