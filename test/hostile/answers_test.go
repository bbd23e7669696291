package hostile

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/gatewright/gatewright/test/harness"
	"github.com/gatewright/gatewright/test/hostile/adversary"
)

// TestAnswers is R18: whatever an endpoint answers, its client learns at once how the call ended, and never by
// UNAVAILABLE, which says that no endpoint ran it. And it costs nobody else: a good backend's calls go on.
func TestAnswers(t *testing.T) {
	for _, p := range harness.Proxies(t) {
		t.Run(p.String(), func(t *testing.T) {
			t.Parallel()
			list := adversary.Bearable(p)
			good := adversary.StartEndpoint(t, "good", (*adversary.Call).Fine)
			texts := []string{liveGateway, good.Manifests("method: {service: good}")}
			backends := make([]*adversary.Endpoint, len(list))
			for i, a := range list {
				name := fmt.Sprintf("bad%d", i)
				backends[i] = adversary.StartEndpoint(t, name, a.Say)
				texts = append(texts, backends[i].Manifests("method: {service: "+name+"}"))
			}
			s := harness.Serve(t, p, harness.Load(t, "", strings.Join(texts, "---\n")), harness.Options{})
			var calls sync.WaitGroup
			for i, a := range list {
				calls.Go(func() {
					h := s.Call("gw/http")
					h.Authority, h.Path, h.Timeout = "a.example.com", "/"+backends[i].Service+"/Get", 10*time.Second
					if a.Want == adversary.Hangs {
						h.Timeout = 2 * time.Second
					}
					// The second call finds the connection used, or gone.
					client := harness.NewClient(t)
					for range 2 {
						judge(t, p, a, client.Do(h))
					}
					if backends[i].Seen() == 0 {
						t.Errorf("%s: the endpoint saw no call", a.Name)
					}
				})
			}
			calls.Wait()
			h := s.Call("gw/http")
			h.Authority, h.Path = "a.example.com", "/good/Get"
			if r := s.Client.Do(h); r.Code != codes.OK {
				t.Errorf("after all that a good call ends with %s %q", r.Code, r.Message)
			}
		})
	}
}

// judge holds a reply against what is wanted.
func judge(t *testing.T, p harness.Proxy, a adversary.Answer, r harness.Reply) {
	t.Helper()
	t.Logf("%-36s %s %.120q", a.Name, r.Code, r.Message)
	silent := r.Code == codes.DeadlineExceeded && !r.FromServer()
	// HAProxy resets streams on used connections in a way that clients take for "not processed".
	refused := p.Name == "haproxy" && strings.Contains(r.Message, "REFUSED_STREAM")
	switch {
	case a.Want == adversary.Hangs && p.Name == "haproxy" && silent, refused && a.Want != adversary.Passes:
	case a.Want == adversary.Passes:
		if r.Code != codes.OK && r.Code != codes.NotFound {
			t.Errorf("%s: %s %.200q, want it to pass", a.Name, r.Code, r.Message)
		}
	case silent:
		t.Errorf("%s: nothing until the deadline", a.Name)
	case r.Code == codes.Unavailable:
		t.Errorf("%s: %s %.200q: an endpoint had the call", a.Name, r.Code, r.Message)
	case a.Want == adversary.Large && p.Name == "nginx" &&
		(r.Code != codes.ResourceExhausted || !strings.Contains(r.Message, "headers that are too large")):
		t.Errorf("%s: %s %.200q, want ResourceExhausted", a.Name, r.Code, r.Message)
	case a.Want == adversary.Large && p.Name == "haproxy" && r.Code != codes.Internal:
		t.Errorf("%s: %s %.200q, want Internal", a.Name, r.Code, r.Message)
	case a.Want != adversary.AsSaid && r.Code == codes.OK:
		t.Errorf("%s: the call succeeds", a.Name)
	}
}
