// Package folder puts rendered files on disk as one folder that is replaced whole: a reader of it sees the old
// files or the new ones, never some of each (R33). It also says how a folder differs from what would be
// written, and keeps single files. It imports generators and runtime/beneath.
package folder
