// Package cases holds the golden tests of the whole pipeline, a folder a case:
//
//	in.yaml      the manifests
//	flags        flags of `generate` and `explain`, such as --proxy-version 1.22.1; may be absent
//	model.yaml   what they become (generators/model)
//	status.yaml  what every object's status says
//	nginx/, haproxy/  the rendered files, of HAProxy 3.0 for the second; only where the folder is there
//	explain.txt  a question a paragraph: `$ FLAGS of explain`, then the answer; only where the file is there
//	graph.mmd, graph.dot  the picture; only where the file is there
//
// `go test ./test/cases -update` writes everything but the input anew. It may import everything.
package cases
