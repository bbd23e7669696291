// Package haproxy runs the haproxy binary: to find out what it can do, to let it check a configuration, to serve one,
// and to change what is served with as few reloads as possible. It imports generators/haproxy, the model,
// runtime/apply, runtime/marker and runtime/process.
//
// A change without a reload compares the files that are served with the new ones. Routes are written to the side of the
// map files that no call reads; a Service that has no section in the running configuration gets a spare one; new
// servers and certificates are added. Then one line of commands names the other side, the spare sections and the new
// generation in live.map, so that every call sees all of the old routes or all of the new ones, and takes away the
// servers that aren't wanted. Everything is read back. What a worker holds is asked of it each time, so that nothing
// hangs on what this process remembers.
//
// The comparison is of the rendered text and not of models, because the text is what the proxy reads: templates of a user's
// own may say anything. What they change of the parts that an update knows (maps, servers, certificates) is seen and updated;
// any other line that differs is a reload.
package haproxy
