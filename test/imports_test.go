package test

import (
	"bytes"
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/gatewright/gatewright"

// layer says what the packages that a pattern names may import.
type layer struct {
	// packages is a pattern as path.Match reads it, below the module.
	packages string
	// internal are such patterns of the packages of this module that they may import; "…" is all of them.
	internal []string
	// pure packages know no context, clock, client or logger, and read no file.
	pure bool
}

// layers are all packages of the module; the first pattern that fits a package counts.
var layers = []layer{
	{packages: "generators/pattern", internal: []string{"generators/limits"}, pure: true},
	{packages: "generators/model", internal: []string{"generators/pattern"}, pure: true},
	{packages: "generators/limits", pure: true},
	{packages: "generators", internal: []string{"generators/limits", "generators/model"}, pure: true},
	{packages: "generators/matching", internal: []string{"generators/model", "generators/pattern"}, pure: true},
	{packages: "generators/matching/*", internal: []string{"generators/model", "generators/pattern"}, pure: true},
	{packages: "generators/answers", internal: []string{"generators/model"}, pure: true},
	{packages: "generators/relay", internal: []string{"generators/answers", "generators/model"}, pure: true},
	{packages: "generators/*", internal: []string{
		"generators", "generators/answers", "generators/limits", "generators/model", "generators/pattern", "generators/matching",
		"generators/relay", "templates",
	}, pure: true},
	{packages: "templates", pure: true},
	{packages: "controller/referent", pure: true},
	{packages: "controller/policy"},
	{packages: "deploy/*"},
	{packages: "controller/status", internal: []string{"controller/referent"}, pure: true},
	{packages: "controller/resources", internal: []string{"controller/policy", "controller/referent", "deploy/crds", "runtime/beneath"}},
	{packages: "controller/translate", internal: []string{
		"generators/limits", "generators/model", "generators/pattern", "controller/policy", "controller/referent", "controller/resources",
		"controller/status",
	}, pure: true},
	{packages: "controller", internal: []string{
		"generators/model", "controller/policy", "controller/referent", "controller/resources", "controller/status", "controller/translate",
	}},
	{packages: "controller/explain", internal: []string{
		"generators/model", "generators/matching", "generators/matching/reference", "controller/status",
	}, pure: true},
	{packages: "controller/graph", internal: []string{"controller/translate", "runtime/apply"}, pure: true},
	{packages: "controller/pipeline", internal: []string{
		"generators", "generators/model",
		"controller/resources", "controller/translate", "controller/status", "controller/outcome",
		"runtime/apply",
	}},
	{packages: "controller/follow", internal: []string{
		"generators/model",
		"controller", "controller/outcome", "controller/pipeline", "controller/status",
		"runtime/apply", "runtime/folder", "runtime/proxies", "runtime/serve", "runtime/watch",
	}},
	{packages: "controller/outcome", internal: []string{"generators/model", "controller/status", "runtime/apply"}},
	{packages: "runtime/beneath"},
	{packages: "runtime/folder", internal: []string{"generators", "runtime/beneath"}},
	{packages: "runtime/process"},
	{packages: "runtime/watch"},
	{packages: "runtime/marker", internal: []string{"generators"}},
	{packages: "runtime/apply", internal: []string{"generators", "generators/model", "runtime/folder"}},
	{packages: "runtime/proxies", internal: []string{
		"generators", "generators/*",
		"runtime/apply", "runtime/haproxy", "runtime/nginx", "runtime/nginx/endpoints",
	}},
	{packages: "runtime/serve", internal: []string{
		"generators", "generators/limits", "generators/model", "generators/relay",
		"runtime/apply", "runtime/bridge", "runtime/folder", "runtime/process", "runtime/proxies", "runtime/watch",
	}},
	{packages: "runtime/bridge/frames"},
