package main

import (
	"errors"
	"fmt"
	"os/user"

	"golang.org/x/sys/unix"

	"github.com/gatewright/gatewright/generators"
	"github.com/gatewright/gatewright/generators/model"
)

// serving fills in what --call-once, --user and --group say. Users needn't exist where the proxy doesn't run.
func (o *options) serving(g *generators.Options, caps model.Capabilities) (err error) {
	if o.callOnce && !caps.Has(model.FeatureCallOnce) {
		return fmt.Errorf("--call-once can't be kept: %s", caps.Missing[model.FeatureCallOnce])
	}
	g.CallOnce, g.Instance = o.callOnce, o.instance
	if o.instance != "" {
		if err := generators.CheckInstance(o.instance); err != nil {
			return fmt.Errorf("--instance: %w", err)
		}
	}
	switch {
	case o.user == "" && o.group == "":
	case o.user == "":
		return errors.New("--group alone: name the user too, with --user")
	case g.Layout == generators.LayoutInclude:
		return errors.New("--user is for --layout full: a configuration of your own says itself who its workers are")
	case o.group != "":
		g.User, g.Group = o.user, o.group
	default:
		g.User = o.user
		g.Group, err = groupOf(o.user)
	}
	return err
}

// workers is serving for a proxy that runs here. One that would run its workers as root gets the first of its usual
// users that the host has, where nobody names another; what somebody else has started is left to them.
func (e *engine) workers(g *generators.Options, p *proxy) error {
	if err := e.serving(g, e.caps); err != nil {
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
		if e.attach == "" && !changesUser() {
			return fmt.Errorf("--user %s: only root, with CAP_SETUID and CAP_SETGID, starts workers as another user; leave it out to run them as this one", g.User)
		}
	case e.attach != "" || len(p.users) == 0 || !changesUser():
		return nil
	default:
		for _, name := range p.users {
			if group, err := groupOf(name); err == nil {
				g.User, g.Group = name, group
				break
			}
		}
		if g.User == "" {
			e.log.Warn("the proxy's workers run as root, for this host has none of the usual users; name one with --user", "users", p.users)
			return nil
		}
	}
	e.log.Info("workers run as", "user", g.User, "group", g.Group)
	return nil
}

// groupOf is the name of a user's own group.
func groupOf(name string) (string, error) {
	u, err := user.Lookup(name)
	if err != nil {
		return "", fmt.Errorf("--user %s: this host has no such user; make it, or name another (and its --group to render for another host)", name)
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
