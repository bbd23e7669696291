package nginx

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/gatewright/gatewright/runtime/apply"
	"github.com/gatewright/gatewright/runtime/process"
)

// checkPID is the pid file of checks of files for a joined nginx, below the prefix.
const checkPID = ".check.pid"

// pidDirective is where a main file names the pid file.
var pidDirective = regexp.MustCompile(`(?m)(^|;)([ \t]*)pid[ \t]+[^;]+;`)

// validateJoined lets our binary check files for an nginx of somebody else's. nginx's check makes the pid file where there is none,
// and one that is ours would keep an nginx that runs as somebody else from starting: so the check gets one of its own. It also opens
// logs and makes folders, some of which only the container of the other nginx may be able to; it does so when it has read all of the
// configuration.
func (p *Proxy) validateJoined(ctx context.Context, file string) error {
	pid := filepath.Join(p.Prefix, checkPID)
	defer func() { _ = os.Remove(pid) }() // It may not have been made.
	directive := "pid " + quoted(pid) + ";"
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if !pidDirective.Match(text) {
		err := p.check(ctx, file, "-g", directive)
		var refusal *apply.Refusal
		if !errors.As(err, &refusal) || !strings.Contains(refusal.Message, `"pid" directive is duplicate`) {
			return p.beyond(err)
		}
		return p.beyond(p.check(ctx, file)) // An included file has it.
	}
	// What it includes is found beside it.
	f, err := os.CreateTemp(filepath.Dir(file), ".check-")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(f.Name()) }() // The folder is cleared away with all that is in it.
	_, err = f.Write(pidDirective.ReplaceAll(text, []byte("${1}${2}"+strings.ReplaceAll(directive, "$", "$$"))))
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	err = p.check(ctx, f.Name())
	var refusal *apply.Refusal
	if errors.As(err, &refusal) {
		refusal.Message = strings.ReplaceAll(refusal.Message, f.Name(), file)
	}
	return p.beyond(err)
}

// quoted is a path as nginx reads it.
func quoted(path string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(path) + `"`
}

// check runs nginx's check of a main file.
func (p *Proxy) check(ctx context.Context, file string, more ...string) error {
	args := append([]string{"-t", "-q", "-e", "stderr", "-p", p.Prefix, "-c", file}, more...)
	return apply.Check(ctx, command(ctx, p.Binary, args...), refusalText)
}

// unopened is what nginx says, behind the configuration, of a log or folder that isn't for this process to open, make or give
// away: no such folder, not permitted, a file system that can't be written to. What stands in a line of a file names that.
var unopened = regexp.MustCompile(`^nginx: \[emerg\] (?:open\(\) |mkdir\(\) |chown\()"([^"]+)".* failed \((1|2|13|30): [^)]*\)$`)

// beyond takes a check that has ended only at what the container of a joined nginx may have, and this one doesn't. nginx's answer
// to the reload proves it.
func (p *Proxy) beyond(err error) error {
	var refusal *apply.Refusal
	if !errors.As(err, &refusal) || strings.Contains(refusal.Message, "\n") {
		return err
	}
	match := unopened.FindStringSubmatch(refusal.Message)
	if match == nil || !p.another(match[2]) || process.Within(p.Prefix, match[1]) {
		return err
	}
	if told := p.told.Swap(&refusal.Message); (told == nil || *told != refusal.Message) && p.Log != nil {
		p.Log.Warn("the check ends where nginx opens what this process may not, so nginx's answer to the reload has to do; a container that "+
			"mounts it as nginx's does checks all", "path", match[1], "message", refusal.Message)
	}
	return nil
}

// another says that the joined nginx may be able to open what this process can't, for the reason with a number of the system's.
func (p *Proxy) another(errno string) bool {
	master, err := p.master()
	if err != nil {
		return true // It has still to be started.
	}
	who, err := process.AccountOf(master.PID)
	we, failed := process.AccountOf(os.Getpid())
	if err != nil || failed != nil || !process.SameFiles(master.PID) {
		return true
	}
	permission := errno == "1" || errno == "13"
	return permission && (who.UID != we.UID || who.All != we.All)
}
