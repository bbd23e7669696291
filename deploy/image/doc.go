// Command image makes an OCI image of gatewright without a daemon: a static binary for each architecture on nothing, with the roots of
// certificate authorities, the licences of all that is linked, and a bill of materials. Two runs of one commit make the same bytes.
package main
