// Package hosts tries the Debian package on a host with systemd, which systemd-nspawn boots: `make hosts`.
package hosts
