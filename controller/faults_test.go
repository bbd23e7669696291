package controller

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// TestPauses grow up to the longest, and no two who begin together keep together.
func TestPauses(t *testing.T) {
	p := pauses{first: time.Second, last: 5 * time.Second}
	for i, want := range []time.Duration{1, 2, 4, 5, 5} {
		if got := p.take(); got < want*time.Second || got > want*time.Second*3/2 {
			t.Errorf("pause %d is %s, want %d to %d seconds and a half", i, got, want, want)
		}
	}
	p.reset()
	if got := p.take(); got > 1500*time.Millisecond {
		t.Errorf("the first pause after a success is %s", got)
	}
	several := map[time.Duration]bool{}
	for range 100 {
		several[spread(time.Second)] = true
	}
	if len(several) < 50 {
		t.Errorf("only %d of 100 pauses differ", len(several))
	}
}

// answers are those of an API server, in order; the last one stays.
type answers []*http.Response

func (a *answers) RoundTrip(*http.Request) (*http.Response, error) {
	next := (*a)[0]
	if len(*a) > 1 {
		*a = (*a)[1:]
	}
	if next == nil {
		return nil, errors.New("connection refused")
	}
	return next, nil
}

func answer(code int, retryAfter string) *http.Response {
	header := http.Header{}
	if retryAfter != "" {
		header.Set("Retry-After", retryAfter)
	}
	return &http.Response{StatusCode: code, Header: header, Body: io.NopCloser(strings.NewReader(""))}
}

// TestOutages says which answers are an outage, and for how long nothing is asked afterwards.
func TestOutages(t *testing.T) {
	const list, watch, one = "/api/v1/services", "/api/v1/services?watch=true", "/api/v1/namespaces/a/secrets/b"
	for _, row := range []struct {
		name, path string
		alone      bool
		answer     *http.Response
		outage     bool
		quiet      time.Duration // at most, and not less than half of it
	}{
		{"fine", list, false, answer(200, ""), false, 0},
		{"no answer", list, false, nil, true, 0},
		{"an error", list, false, answer(500, ""), true, 0},
		{"overload", list, false, answer(503, "7"), true, 7 * time.Second},
		{"for ever", list, false, answer(503, "100000"), true, longestQuiet},
		{"a date", list, false, answer(503, "Mon, 30 Nov 2026 00:00:00 GMT"), true, 0},
		{"a list too many", list, false, answer(429, "7"), false, 0},
		{"a watch too many", watch, false, answer(429, "7"), true, 7 * time.Second},
		{"one object", one, true, answer(500, "7"), false, 0},
		{"one object without answer", one, true, nil, false, 0},
		{"one that is needed", one, false, answer(500, ""), true, 0},
	} {
		o := newOutages()
		after := o.after()
		ctx := context.Background()
		if row.alone {
			ctx = alone(ctx)
		}
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://api"+row.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if response, err := o.wrap(&answers{row.answer}).RoundTrip(r); (err != nil) != (row.answer == nil) {
			t.Errorf("%s: %v", row.name, err)
		} else if err == nil {
			_ = response.Body.Close()
		}
		outage := false
		select {
		case <-after:
			outage = true
		default:
		}
		if outage != row.outage {
			t.Errorf("%s: outage is %t", row.name, outage)
		}
		if got := o.pause(); got > row.quiet || got < row.quiet/2 {
			t.Errorf("%s: nothing is asked for %s, want %s", row.name, got, row.quiet)
		}
	}
}

// vault is where Secrets are read: what it gives for a name, or why not.
type vault struct {
	client.Reader
	secrets map[string]string
	errs    map[string]error
	asked   atomic.Int64
}

func (v *vault) Get(_ context.Context, key client.ObjectKey, o client.Object, _ ...client.GetOption) error {
	v.asked.Add(1)
	if err := v.errs[key.Name]; err != nil {
		return err
	}
	s := o.(*corev1.Secret)
	s.Namespace, s.Name, s.ResourceVersion = key.Namespace, key.Name, "1"
	s.Data = map[string][]byte{"x": []byte(v.secrets[key.Name])}
	return nil
}

// TestSecretsApart: a Secret that can't be read costs no other one, counts as it was when it was known, isn't asked for with
// every change, and is asked for again without one.
func TestSecretsApart(t *testing.T) {
	list := func(version string, names ...string) (out []*metav1.PartialObjectMetadata) {
		for _, n := range names {
			out = append(out, &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: n, ResourceVersion: version}})
		}
		return out
	}
	forbidden := apierrors.NewForbidden(schema.GroupResource{Resource: "secrets"}, "bad", errors.New("no right"))
	v := &vault{secrets: map[string]string{"good": "1", "late": "1"}, errs: map[string]error{"bad": forbidden}}
	again := make(chan struct{}, 100)
	s := newSecrets(slog.New(slog.DiscardHandler), func() { again <- struct{}{} })
	w := newWorld(&Options{})
	ctx := t.Context()
	show := func(r readings[*corev1.Secret]) string {
		text := ""
		for _, secret := range r.objects {
			text += secret.Name + "=" + string(secret.Data["x"]) + " "
		}
		for _, u := range r.unreadable {
			text += u.Name + ": " + u.Why
		}
		return text
	}
	const unread = `bad: secrets "bad" is forbidden: no right`
	if got := show(s.read(ctx, v, w, list("1", "good", "bad", "late"))); got != "good=1 late=1 "+unread {
		t.Error(got)
	}
	bad := s.failed[name{Namespace: "ns", Name: "bad"}]
	due := bad.next
	bad.next = time.Now().Add(time.Hour)
	before := v.asked.Load()
	for range 10 {
		s.read(ctx, v, w, list("1", "good", "bad", "late"))
	}
	if n := v.asked.Load() - before; n > 0 {
		t.Errorf("it is asked for %d times before its time", n)
	}
	bad.next = due
	select {
	case <-again:
	case <-time.After(time.Minute):
		t.Fatal("nobody tries again")
	}
	v.errs = map[string]error{"late": errors.New("the API server is away")}
	v.secrets["bad"] = "2"
	// late has another version, and stays as it was; bad has come.
	if got := show(s.read(ctx, v, w, append(list("1", "good", "bad"), list("2", "late")...))); got != "good=1 bad=2 late=1 " {
		t.Error(got)
	}
	// In another world the same versions say nothing, and what can't be read anew stays as it was.
	v.errs = map[string]error{"good": errors.New("the API server is away")}
	v.secrets = map[string]string{"good": "3", "bad": "3", "late": "3"}
	if got := show(s.read(ctx, v, newWorld(&Options{}), list("1", "good", "bad", "late"))); got != "good=1 bad=3 late=3 " {
		t.Error(got)
	}
	if got := show(s.read(ctx, v, s.world, list("1", "good", "bad", "late"))); got != "good=1 bad=3 late=3 " {
		t.Error(got)
	}
	v.errs = nil
	for deadline := time.Now().Add(time.Minute); ; <-again {
		if got := show(s.read(ctx, v, s.world, list("1", "good", "bad", "late"))); got == "good=3 bad=3 late=3 " {
			break
		} else if time.Now().After(deadline) {
			t.Fatal(got)
		}
	}
	v.errs = map[string]error{"good": apierrors.NewNotFound(schema.GroupResource{Resource: "secrets"}, "good")}
	if got := show(s.read(ctx, v, s.world, list("2", "good"))); got != "" {
		t.Error(got)
	}
}
