package serve

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/gatewright/gatewright/generators/relay"
	"github.com/gatewright/gatewright/runtime/apply"
	"github.com/gatewright/gatewright/runtime/bridge"
	"github.com/gatewright/gatewright/runtime/folder"
	"github.com/gatewright/gatewright/runtime/process"
	"github.com/gatewright/gatewright/runtime/proxies"
)

// The bridge of a state folder. Its sockets are in a folder of the user that it runs as, its configuration is in one that this user
// may only read.
const (
	bridgeFolder  = "bridge"
	bridgeConfigs = "bridge-config"
	bridgeLog     = "bridge.log"
)

// bridgePatience is how long a bridge that runs may take to follow a configuration, and bridgeStart how long it may take to start.
const (
	bridgePatience = 2 * time.Second
	bridgeStart    = 10 * time.Second
)

// ownBridge is the bridge that an Engine runs beside its proxy, once there are calls for it.
type ownBridge struct {
	dir     string
	drain   time.Duration
	user    *proxies.Account // nil for this process's own
	system  string           // the file with the authorities that the system trusts, or ""
	log     *slog.Logger
	errors  io.Writer
	program *process.Supervisor // nil until it is needed

	// told is the text that it was told last, and failed what the log has of it.
	told   []byte
	failed string
	// needed says that there are, or were, calls for it.
	needed atomic.Bool
	// generation is what the configuration calls itself that it should serve.
	generation atomic.Pointer[string]
}

func (b *ownBridge) config() string { return filepath.Join(b.dir, bridgeConfigs, relay.File) }
func (b *ownBridge) socket() string { return filepath.Join(b.dir, bridgeFolder, "bridge.sock") }
func (b *ownBridge) status() string { return filepath.Join(b.dir, bridgeFolder, "status.sock") }

// resume starts the bridge with what an earlier run of this program has told it: the proxy's last good configuration may send
// calls to it.
func (b *ownBridge) resume(ctx context.Context) {
	text, err := os.ReadFile(b.config())
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return
	case err == nil:
		var c relay.Config
		if err = json.Unmarshal(text, &c); err != nil {
			break
		}
		generation := c.Generation
		b.generation.Store(&generation)
		c.Generation = ""
		if b.told, err = c.Text(); err == nil {
			err = b.start(ctx)
		}
	}
	b.note(err)
}

// tell has the bridge do what a configuration needs before the proxy sends it calls. Without a bridge, copies aren't made, and
// policies that need one fail their calls; everything else goes on.
func (b *ownBridge) tell(ctx context.Context, next apply.Configuration) {
	c := relay.Of(next.Model, b.system)
	if len(c.Actions) == 0 && b.program == nil {
		return
	}
	b.note(b.follow(ctx, &c))
}

func (b *ownBridge) follow(ctx context.Context, c *relay.Config) error {
	text, err := c.Text()
	if err != nil {
		return err
	}
	if bytes.Equal(text, b.told) && b.failed == "" {
		return nil
	}
	sum := sha256.Sum256(text)
	generation := hex.EncodeToString(sum[:6])
	b.generation.Store(&generation)
	c.Generation = generation
	stamped, err := c.Text()
	if err != nil {
		return err
	}
	if err := b.write(stamped, c.Secret()); err != nil {
		return err
	}
	b.told = text
	if !b.runs() {
		return b.start(ctx)
	}
	ctx, cancel := context.WithTimeout(ctx, bridgePatience)
	defer cancel()
	return process.Poll(ctx, func() (bool, error) {
		err := b.serves(ctx, 0)
		return err == nil, err
	})
}

// note logs what is wrong with the bridge, and that it is well again, once each.
func (b *ownBridge) note(err error) {
	switch {
	case err == nil && b.failed != "":
		b.log.Info("the bridge is well again")
		b.failed = ""
	case err != nil && err.Error() != b.failed:
		b.log.Error("the bridge doesn't do what it is told: no copies of calls are made until it does", "error", err)
		b.failed = err.Error()
	}
}

// write makes the folders and replaces the configuration. With a private key in it nobody reads it but the bridge (R44): who else is
// in its group doesn't.
func (b *ownBridge) write(text []byte, secret bool) error {
	uid, gid := os.Geteuid(), os.Getegid()
	if b.user != nil {
		uid, gid = b.user.UID, b.user.GID
	}
	for _, f := range []struct {
		name  string
		owner int
		mode  fs.FileMode
	}{{bridgeFolder, uid, 0o711}, {bridgeConfigs, os.Geteuid(), 0o750 | fs.ModeSetgid}} {
		if err := ownFolder(filepath.Join(b.dir, f.name), f.owner, gid, f.mode); err != nil {
			return fmt.Errorf("the bridge's folder: %w", err)
		}
	}
	if secret {
		return folder.ReplaceFor(b.config(), text, uid)
	}
	return folder.Replace(b.config(), text, 0o640)
}

// ownFolder makes a folder, or corrects whose it is.
func ownFolder(path string, uid, gid int, mode fs.FileMode) error {
	if err := os.Mkdir(path, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	d, err := os.OpenFile(path, os.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return err
	}
	return errors.Join(d.Chown(uid, gid), d.Chmod(mode), d.Close())
}

// runs says whether there is a process.
func (b *ownBridge) runs() bool {
	if b.program == nil {
		return false
	}
	_, err := b.program.Process()
	return err == nil
}

// start starts the bridge and returns when it serves what it was told. One that an earlier run has left gives its sockets to it, and
// ends once its calls have.
func (b *ownBridge) start(ctx context.Context) error {
	b.needed.Store(true)
	if err := b.supervise(); err != nil {
		return err
	}
	b.program.Lock()
	defer b.program.Unlock()
	if b.runs() {
		return nil // It was started again by itself.
	}
	ctx, cancel := context.WithTimeout(ctx, bridgeStart)
	defer cancel()
	return b.program.Start(ctx)
}

// supervise prepares what starts it.
func (b *ownBridge) supervise() error {
	if b.program != nil {
		return nil
	}
	binary, err := os.Executable()
	if err != nil {
		return err
	}
	b.program, err = process.Supervise(process.Program{
		Name: "bridge", Kind: process.Kind{Program: filepath.Base(binary), Binary: binary, Role: "bridge", Is: func(int) bool { return true }},
		Command: b.command, Succeeds: true, Drain: unix.SIGUSR2, Stop: unix.SIGTERM, Timeout: bridgeStart,
		Serves: b.serves, Complaint: func(int, string) bool { return false }, Clear: func(context.Context) error { return nil },
		LogFile: filepath.Join(b.dir, bridgeLog), Errors: b.errors, Log: b.log,
	})
	return err
}

// command is this program again, by a name that leads to it whatever has become of its file.
func (b *ownBridge) command() *exec.Cmd {
	cmd := exec.Command("/proc/self/exe", "bridge", "--config", b.config(), "--socket", b.socket(), "--status", b.status(),
		"--drain", b.drain.String())
	cmd.Dir = "/"
	if b.user != nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(b.user.UID), Gid: uint32(b.user.GID)}}
	}
	return cmd
}

// serves says what is missing until a process serves what the bridge was told; pid 0 is any process.
func (b *ownBridge) serves(ctx context.Context, pid int) error {
	r, err := bridge.Ask(ctx, b.status())
	switch {
	case err != nil:
		return err
	case pid != 0 && r.PID != pid:
		return fmt.Errorf("process %d answers for the bridge, not %d", r.PID, pid)
	case r.Error != "":
		return errors.New(r.Error)
	}
	if want := *b.generation.Load(); r.Generation != want {
		return fmt.Errorf("the bridge serves configuration %q, not %q", r.Generation, want)
	}
	return nil
}

// shutdown lets the bridge finish its calls and end, behind a proxy that has.
func (b *ownBridge) shutdown(ctx context.Context) error {
	if b == nil || b.program == nil {
		return nil
	}
	return b.program.Shutdown(ctx)
}

// close lets go of a bridge that goes on.
func (b *ownBridge) close() error {
	if b == nil || b.program == nil {
		return nil
	}
	return b.program.Close()
}
