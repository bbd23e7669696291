package folder

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatewright/gatewright/generators"
)

func TestRead(t *testing.T) {
	want := []generators.File{
		{Path: "conf.d/a.conf", Data: []byte("a")}, {Path: "key.pem", Data: []byte("k"), Secret: true}, {Path: "nginx.conf", Data: []byte("n")},
	}
	do := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	fill := func(dir string) {
		t.Helper()
		do(os.MkdirAll(filepath.Join(dir, "conf.d"), 0o755))
		for _, f := range want {
			do(os.WriteFile(filepath.Join(dir, f.Path), f.Data, modeOf(f)))
		}
		do(os.WriteFile(filepath.Join(dir, ".hidden"), nil, 0o600))
	}
	check := func(dir string) {
		t.Helper()
		got, err := Read(dir)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%s: %v\n%s", dir, err, diff)
		}
	}
	dir := t.TempDir()
	fill(filepath.Join(dir, "plain"))
	check(filepath.Join(dir, "plain"))

	do(os.Symlink("plain", filepath.Join(dir, "link")))
	check(filepath.Join(dir, "link"))

	fill(filepath.Join(dir, "map/..v1"))
	do(os.Symlink("..v1", filepath.Join(dir, "map/..data")))
	for _, name := range []string{"conf.d", "key.pem", "nginx.conf"} {
		do(os.Symlink("..data/"+name, filepath.Join(dir, "map", name)))
	}
	check(filepath.Join(dir, "map"))

	do(os.Symlink(".", filepath.Join(dir, "plain/loop")))
	if _, err := Read(filepath.Join(dir, "plain")); err == nil {
		t.Errorf("a link that leads into itself was read")
	}
	if _, err := Read(filepath.Join(dir, "nothing")); err == nil {
		t.Errorf("a folder that isn't there was read")
	}
}
