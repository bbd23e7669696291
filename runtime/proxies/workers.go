package proxies

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os/user"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/gatewright/gatewright/generators"
	"github.com/gatewright/gatewright/generators/limits"
	"github.com/gatewright/gatewright/generators/model"
)

// Serving is how a proxy serves, whatever it serves.
type Serving struct {
	// User and Group are whom the workers run as; "" for whom the proxy chooses, and for the user's own group.
	User, Group string
	// CallOnce has no client send a call again that an endpoint may have run.
	CallOnce bool
	// Instance tells this gateway from others in the header cdn-loop; "" to make a name up.
	Instance string
	// TrustedProxies are networks of proxies in front of this one, whose X-Forwarded headers are kept.
	TrustedProxies []netip.Prefix
	// Bridge is the path of the socket of a bridge that somebody else runs, or "".
	Bridge string
	// MaxStreams is the most calls that one client connection has open at a time.
	MaxStreams int
	// SystemAuthorities is the file with the authorities that count for wellKnownCACertificates System; "" is the proxy's own, or
	// the usual one.
	SystemAuthorities string
	// AccessLog is a generators.AccessTarget, or AccessOff or "".
	AccessLog       string
	AccessLogFormat generators.AccessFormat
}

// AccessOff is no access log.
const AccessOff = "off"

// LogsCalls says whether there is an access log.
func (s Serving) LogsCalls() bool { return s.AccessLog != "" && s.AccessLog != AccessOff }

// Check says what is wrong with it on any proxy.
func (s Serving) Check() error {
	if s.MaxStreams < 1 || s.MaxStreams > limits.MaxStreams {
		return fmt.Errorf("--max-streams %d: it must be 1 to %d", s.MaxStreams, limits.MaxStreams)
	}
	if !s.LogsCalls() {
		return nil
	}
	if err := generators.AccessTarget(s.AccessLog).Check(); err != nil {
		return fmt.Errorf("--access-log %w", err)
	}
	return nil
}

// Fill tells it to a generator. Users needn't exist where the proxy doesn't run.
func (s Serving) Fill(g *generators.Options, caps model.Capabilities) (err error) {
	g.MaxStreams, g.TrustedProxies, g.SystemAuthorities = s.MaxStreams, s.TrustedProxies, s.SystemAuthorities
	if s.SystemAuthorities != "" && !filepath.IsAbs(s.SystemAuthorities) {
		return fmt.Errorf("--system-ca %s: it must be an absolute path on the proxy's machine", s.SystemAuthorities)
	}
	if g.Bridge = s.Bridge; s.Bridge != "" && !filepath.IsAbs(s.Bridge) {
		return fmt.Errorf("--bridge-socket %s: it must be an absolute path, for the proxy works in another folder", s.Bridge)
	}
	if s.CallOnce && !caps.Has(model.FeatureCallOnce) {
		return fmt.Errorf("--call-once can't be kept: %s", caps.Missing[model.FeatureCallOnce])
	}
	g.CallOnce, g.Instance = s.CallOnce, s.Instance
	if s.LogsCalls() {
		g.AccessLog = &generators.AccessLog{Target: generators.AccessTarget(s.AccessLog), Format: s.AccessLogFormat}
	}
	if s.Instance != "" {
		if err := generators.CheckInstance(s.Instance); err != nil {
			return fmt.Errorf("--instance: %w", err)
		}
	}
	switch {
	case s.User == "" && s.Group == "":
	case s.User == "":
		return errors.New("--group alone: name the user too, with --user")
	case g.Layout == generators.LayoutInclude:
		return errors.New("--user is for --layout full: a configuration of your own says itself who its workers are")
	case s.Group != "":
		g.User, g.Group = s.User, s.Group
	default:
		g.User = s.User
		g.Group, err = groupOf(s.User)
	}
	return err
}

// FillHere is Fill for a proxy that runs here. One that would run its workers as root gets the first of its usual
// users that the host has, where nobody names another; what somebody else has started, attached, is left to them.
func (s Serving) FillHere(g *generators.Options, k *Kind, caps model.Capabilities, attached bool, log *slog.Logger) error {
	if err := s.Fill(g, caps); err != nil {
		return err
	}
	switch {
	case g.User != "":
		if _, err := groupOf(g.User); err != nil {
			return err
		}
		if _, err := user.LookupGroup(g.Group); err != nil {
			return fmt.Errorf("--group %s: this host has no such group; make it, or name another", g.Group)
		}
		if !attached && !changesUser() {
			return fmt.Errorf("--user %s: only root, with CAP_SETUID and CAP_SETGID, starts workers as another user; "+
				"leave it out to run them as this one", g.User)
		}
	case attached || len(k.Users) == 0 || !changesUser():
		return nil
	default:
		for _, name := range k.Users {
			if group, err := groupOf(name); err == nil {
				g.User, g.Group = name, group
				break
			}
		}
		if g.User == "" {
			log.Warn("the proxy's workers run as root, for this host has none of the usual users; name one with --user", "users", k.Users)
			return nil
		}
	}
	log.Info("workers run as", "user", g.User, "group", g.Group)
	return nil
}

// Account is a user of this host, and the user's own group.
type Account struct{ UID, GID int }

// Workers are whom the workers of a proxy run as that is started here with options; nil for this process's own user.
func (k *Kind) Workers(ctx context.Context, binary string, g *generators.Options) (*Account, error) {
	if !changesUser() {
		return nil, nil
	}
	name := g.User
	if name == "" && k.builtIn != nil {
		var err error
		if name, err = k.builtIn(ctx, binary); err != nil {
			return nil, err
		}
	}
	u, err := user.Lookup(name)
	if name == "" || err != nil {
		return nil, nil // The proxy says it better than we could.
	}
	uid, err := strconv.Atoi(u.Uid)
	gid, other := strconv.Atoi(u.Gid)
	if err != nil || other != nil || uid == 0 {
		return nil, errors.Join(err, other)
	}
	return &Account{uid, gid}, nil
}

// groupOf is the name of a user's own group.
func groupOf(name string) (string, error) {
	u, err := user.Lookup(name)
	if err != nil {
		return "", fmt.Errorf("--user %s: this host has no such user; make it, or name another "+
			"(and its --group to render for another host)", name)
	}
	g, err := user.LookupGroupId(u.Gid)
	if err != nil {
		return "", fmt.Errorf("--user %s: its group %s has no name on this host; name one with --group", name, u.Gid)
	}
	return g.Name, nil
}

// changesUser says whether what this process starts may become another user.
func changesUser() bool {
	var data [2]unix.CapUserData
	if err := unix.Capget(&unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}, &data[0]); err != nil {
		return false
	}
	const needed = 1<<unix.CAP_SETUID | 1<<unix.CAP_SETGID
	return data[0].Effective&needed == needed
}
