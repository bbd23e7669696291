// Package child has what nginx and HAProxy have in common where they are run as a child, or joined: to start, to tell what is
// served, to let go. It imports runtime/apply, runtime/marker and runtime/process.
package child
