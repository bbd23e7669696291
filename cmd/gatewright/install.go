package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
)

const installHelp = `Copy this binary to a folder, as DIR/gatewright with permissions 0755, in one step: who starts it meanwhile gets the
old or the new one whole. A folder that has the same one already is left as it is.

It is for images without a shell: an init container brings gatewright to a volume that the proxy's own container mounts.`

func newInstall() *cobra.Command {
	return &cobra.Command{
		Use:     "install DIR",
		Short:   "Copy this binary to a folder, for a container that has the proxy",
		Long:    installHelp,
		Example: `  gatewright install /shared`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return errors.New("name one folder: gatewright install DIR")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			self, err := os.Executable()
			if err != nil {
				return err
			}
			said, err := install(self, args[0])
			if err == nil {
				_, err = fmt.Fprintln(cmd.OutOrStdout(), said)
			}
			return err
		},
	}
}

// binaryMode is that of programs.
const binaryMode fs.FileMode = 0o755

// install copies a binary to a folder, and says what it did.
func install(binary, dir string) (said string, err error) {
	data, err := os.ReadFile(binary)
	if err != nil {
		return "", err
	}
	target := filepath.Join(dir, "gatewright")
	info, err := os.Lstat(target)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		said = "wrote " + target
	case err != nil:
		return "", err
	case !info.Mode().IsRegular():
		return "", fmt.Errorf("%s is no file: move it away, or name another folder", target)
	default:
		same, err := isCopy(target, info, data)
		if err != nil {
			return "", err
		}
		if same {
			return target + " is this binary already", nil
		}
		said = "replaced " + target
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	if err := putBinary(target, data); err != nil {
		return "", fmt.Errorf("install to %s: %w", dir, err)
	}
	return fmt.Sprintf("%s, %d bytes", said, len(data)), nil
}

func isCopy(target string, info fs.FileInfo, data []byte) (bool, error) {
	if info.Mode().Perm() != binaryMode || info.Size() != int64(len(data)) {
		return false, nil
	}
	f, err := os.Open(target)
	if err != nil {
		return false, err
	}
	have, err := io.ReadAll(f)
	return bytes.Equal(have, data), errors.Join(err, f.Close())
}

// putBinary writes a file beside its place and renames it.
func putBinary(target string, data []byte) (err error) {
	f, err := os.CreateTemp(filepath.Dir(target), ".gatewright-")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	_, err = f.Write(data)
	if err = errors.Join(err, f.Chmod(binaryMode), f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), target)
}
