package haproxy

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/gatewright/gatewright/runtime/apply"
)

// isBundle says whether a rendered file is certificates of authorities that servers are verified with. Its name tells its
// content: another content has another name.
func isBundle(path string) bool { return strings.HasPrefix(path, "authorities/") }

// tlsFiles are what the servers of all sections name: whom they are verified by, and what they are shown.
func (r *rendered) tlsFiles() map[string]bool {
	files := map[string]bool{}
	for _, s := range r.sections {
		for _, line := range s.servers {
			for _, file := range tlsFilesOf(line) {
				files[file] = true
			}
		}
	}
	return files
}

// tlsFilesOf are whom a server is verified by, and what it is shown.
func tlsFilesOf(line string) []string {
	if !strings.Contains(line, " ca-file ") {
		return nil
	}
	var files []string
	words := strings.Fields(line)
	for i, word := range words[:len(words)-1] {
		if word == "ca-file" || word == "crt" {
			files = append(files, words[i+1])
		}
	}
	return files
}

// planAuthorities finds the bundles that new servers name and HAProxy hasn't read. A running HAProxy is given those, and no
// other files: what it has for servers it has from its configuration.
func (c *change) planAuthorities() (fresh []string, u apply.Update) {
	read := c.old.tlsFiles()
	for _, file := range slices.Sorted(maps.Keys(c.next.tlsFiles())) {
		data, ok := c.next.bundles[file]
		switch {
		case read[file]:
		case !ok:
			return nil, apply.Update{Reason: fmt.Sprintf("servers need %s, which HAProxy hasn't read", file), Cause: "files"}
		case len(pairText(data)) > largest:
			return nil, apply.Update{Reason: fmt.Sprintf("%s has %d bytes, and HAProxy's socket takes %d", file, len(pairText(data)), largest),
				Cause: "certificates"}
		default:
			fresh = append(fresh, file)
		}
	}
	return fresh, apply.Update{}
}

// addAuthorities gives HAProxy bundles before servers name them.
func (c *change) addAuthorities(files []string) error {
	for _, file := range files {
		name := word.Replace(file)
		// It may be there from an earlier change.
		_, err := askWorker(c.ctx, c.socket, "new ssl ca-file "+name)
		out := ""
		if err == nil {
			out, err = askWorker(c.ctx, c.socket, "set ssl ca-file "+name+" <<\n"+pairText(c.next.bundles[file])+"\n")
		}
		if err == nil && strings.Contains(out, "ransaction") {
			out, err = askWorker(c.ctx, c.socket, "commit ssl ca-file "+name)
		}
		if err == nil && !strings.Contains(out, "Success!") {
			err = fmt.Errorf("HAProxy doesn't take %s: %.200s", file, strings.TrimSpace(out))
			// There may be nothing to abort; the error says what matters.
			_, _ = askWorker(c.ctx, c.socket, "abort ssl ca-file "+name)
		}
		if err != nil {
			return err
		}
	}
	c.did(len(files), "new authorities", "certificates")
	return nil
}
