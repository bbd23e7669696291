// Command deb makes Debian packages of gatewright: the binary, units of systemd that are not started by themselves, a user, completions and
// the licences of all that is linked. It needs nothing of Debian's, and two runs of one commit make the same bytes.
package main
