// Package beneath reads folders that others may write to: no link in one is followed out of it, whenever it is put there
// (R44), and nothing but regular files is opened, so that no pipe or device makes anybody wait. It imports nothing of this
// module.
package beneath
