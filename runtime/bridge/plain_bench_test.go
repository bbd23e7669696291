package bridge

import (
	"bytes"
	"io"
	"net/http"
	"testing"
)

// BenchmarkPlain makes requests of HTTP/1.1, each of which is answered with its body.
func BenchmarkPlain(b *testing.B) {
	for _, size := range []int{100, 1 << 20} {
		for _, way := range []string{"straight", "relay", "mirrored"} {
			b.Run(map[int]string{100: "small/", 1 << 20: "megabyte/"}[size]+way, func(b *testing.B) {
				address := serveHTTP(b, echoHTTP)
				var client *http.Client
				switch way {
				case "straight":
					client = webTo(b, "tcp", address, false)
				case "relay":
					client = start(b, plainly(plain(b, address))).web(false)
				default:
					client = start(b, plainly(mirroring(b, address, serveHTTP(b, echoHTTP)))).web(false)
				}
				client.Timeout = 0
				body := make([]byte, size)
				measure(b, func() {
					parallel(b, 20, func() {
						resp, err := client.Post("http://example/", "text/plain", bytes.NewReader(body))
						if err != nil {
							b.Error(err)
							return
						}
						if n, err := io.Copy(io.Discard, resp.Body); int(n) != size || err != nil {
							b.Error(n, err)
						}
						_ = resp.Body.Close()
					})
				})
			})
		}
	}
}
