// Hello answers every connection at port 3000 with who it is and what it mounts.
package main

import (
	"fmt"
	"net/http"
	"os"
)

func main() {
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		fmt.Println("asked for", r.RequestURI)
		word, err := os.ReadFile("/etc/words/word")
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		fmt.Fprintf(w, "%s/%s says %s", os.Getenv("NAMESPACE"), os.Getenv("POD_NAME"), word)
	})
	fmt.Fprintln(os.Stderr, http.ListenAndServe(":3000", nil))
	os.Exit(1)
}
