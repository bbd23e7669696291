package apply

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/gatewright/gatewright/generators"
	"github.com/gatewright/gatewright/runtime/folder"
)

// instanceName is the file in the state folder that holds the instance.
const instanceName = "instance"

// Instance is what tells the gateway of this state folder from all others (generators.Options.Instance): made up once,
// and kept.
func (s *Store) Instance() (string, error) {
	file := filepath.Join(s.dir, instanceName)
	text, err := os.ReadFile(file)
	kept := strings.TrimSpace(string(text))
	switch {
	case err == nil && generators.CheckInstance(kept) == nil:
		return kept, nil
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return "", fmt.Errorf("the gateway's instance: %w", err)
	}
	random := make([]byte, 8)
	_, _ = rand.Read(random) // It never fails.
	made := generators.NewInstance(random)
	if err := folder.Replace(file, []byte(made+"\n"), 0o644); err != nil {
		return "", fmt.Errorf("the gateway's instance: %w", err)
	}
	return made, nil
}
