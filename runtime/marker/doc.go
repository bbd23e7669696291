// Package marker asks a proxy which generation it serves, and reads from rendered files which one they tell. It imports
// generators.
package marker
