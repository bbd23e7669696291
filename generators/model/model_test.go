package model_test

import (
	"slices"
	"testing"

	"github.com/gatewright/gatewright/generators/model"
)

func TestHostnames(t *testing.T) {
	for _, c := range []struct {
		wide, narrow string
		covers       bool
	}{
		{"", "", true},
		{"", "a.example.com", true},
		{"a.example.com", "", false},
		{"*.example.com", "a.example.com", true},
		{"*.example.com", "a.b.example.com", true},
		{"*.example.com", "*.b.example.com", true},
		{"*.example.com", "*.example.com", true},
		{"*.example.com", "example.com", false},
		{"*.example.com", ".example.com", false},
		{"*.example.com", "aexample.com", false},
		{"*.b.example.com", "*.example.com", false},
		{"*.com", "*.example.com", true},
		{"a.example.com", "*.example.com", false},
	} {
		if got := model.HostnameCovers(c.wide, c.narrow); got != c.covers {
			t.Errorf("HostnameCovers(%q, %q) = %t", c.wide, c.narrow, got)
		}
		want := c.covers || model.HostnameCovers(c.narrow, c.wide)
		if _, got := model.HostnameIntersection(c.wide, c.narrow); got != want {
			t.Errorf("HostnameIntersection(%q, %q) = %t", c.wide, c.narrow, got)
		}
	}
}

func TestHostnameParents(t *testing.T) {
	for pattern, want := range map[string][]string{
		"":                nil,
		"localhost":       {""},
		"a.b.example.com": {"*.b.example.com", "*.example.com", "*.com", ""},
		"*.example.com":   {"*.com", ""},
	} {
		var got []string
		for p := range model.HostnameParents(pattern) {
			got = append(got, p)
			if !model.HostnameCovers(p, pattern) {
				t.Errorf("%q doesn't cover %q", p, pattern)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("parents of %q: %q, want %q", pattern, got, want)
		}
	}
}

func TestCall(t *testing.T) {
	for _, c := range []struct {
		path, service, method string
	}{
		{"/foo.Bar/Get", "foo.Bar", "Get"},
		{"/foo.Bar/Get?x=/y", "foo.Bar", "Get"},
		{"/foo.Bar/", "foo.Bar", ""},
		{"/foo.Bar/a/b", "foo.Bar", ""},
		{"/foo.Bar", "", ""},
		{"//Get", "", ""},
		{"/", "", ""},
		{"", "", ""},
		{"foo/bar", "", ""},
	} {
		call := model.Call{Path: c.path}
		service, hasService := call.Service()
		method, hasMethod := call.GRPCMethod()
		if hasService != (c.service != "") || hasService && service != c.service {
			t.Errorf("service of %q: %q, %t", c.path, service, hasService)
		}
		if hasMethod != (c.method != "") || hasMethod && method != c.method {
			t.Errorf("method of %q: %q, %t", c.path, method, hasMethod)
		}
	}
	for authority, want := range map[string]string{
		"A.Example.com:8080": "a.example.com", "a.example.com.": "a.example.com", "[::1]:80": "[::1]", "[::1]": "[::1]", "": "",
	} {
		if got := model.Hostname(authority); got != want {
			t.Errorf("Hostname(%q) = %q, want %q", authority, got, want)
		}
	}
	call := model.Call{Headers: []model.Header{{Name: "X-A", Value: "1"}, {Name: "x-a", Value: "2"}, {Name: "x-empty", Value: ""}}}
	if v, ok := call.Header("x-a"); v != "1, 2" || !ok {
		t.Errorf("x-a is %q, %t", v, ok)
	}
	if _, ok := call.Header("x-empty"); ok {
		t.Error("an empty header counts as present")
	}
}

func TestVersion(t *testing.T) {
	for text, want := range map[string]model.Version{
		"1.26.3": {Major: 1, Minor: 26, Patch: 3}, "3.2": {Major: 3, Minor: 2}, "3.2-dev1": {Major: 3, Minor: 2},
		"2.6.12-1+deb12u4": {Major: 2, Minor: 6, Patch: 12},
	} {
		got, err := model.ParseVersion(text)
		if err != nil || got != want {
			t.Errorf("ParseVersion(%q) = %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "1", "x.y", "1.2.3.4", "1.-2"} {
		if v, err := model.ParseVersion(text); err == nil {
			t.Errorf("ParseVersion(%q) = %v, want an error", text, v)
		}
	}
	v := model.Version{Major: 1, Minor: 25, Patch: 1}
	if !v.AtLeast(1, 25, 1) || v.AtLeast(1, 26, 0) || !v.AtLeast(1, 9, 9) {
		t.Error("AtLeast is wrong")
	}
}

func TestBinds(t *testing.T) {
	for _, test := range []struct{ addresses, want []string }{
		{nil, nil},
		{[]string{"192.0.2.1", "2001:db8::1"}, []string{"192.0.2.1", "2001:db8::1"}},
		{[]string{"192.0.2.1", "0.0.0.0", "2001:db8::1"}, []string{"0.0.0.0", "2001:db8::1"}},
		{[]string{"2001:db8::1", "::", "192.0.2.1"}, []string{"::", "192.0.2.1"}},
	} {
		g := model.Gateway{Addresses: test.addresses}
		if got := g.Binds(); !slices.Equal(got, test.want) {
			t.Errorf("%v: %v, want %v", test.addresses, got, test.want)
		}
		m := model.Gateways{Gateways: []model.Gateway{g}}
		if got := m.OnlyIPv4().Gateways[0].Addresses; len(test.addresses) == 0 && !slices.Equal(got, []string{"0.0.0.0"}) ||
			len(m.Gateways[0].Addresses) != len(test.addresses) {
			t.Errorf("%v by IPv4 alone: %v, and the model has %v", test.addresses, got, m.Gateways[0].Addresses)
		}
	}
}
