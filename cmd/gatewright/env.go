package main

import (
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// envPrefix begins the names of the variables that stand in for flags.
const envPrefix = "GATEWRIGHT_"

// otherVariables are those that begin so and are for the tests, or what Kubernetes tells pods of Services by such names.
var otherVariables = regexp.MustCompile(`^(PROXIES|CLUSTER|FAILED)$|` +
	`(^|_)(SERVICE_HOST|SERVICE_PORT(_.*)?|PORT(_\d+_(TCP|UDP|SCTP)(_.*)?)?)$`)

// envName is the variable that stands in for a flag.
func envName(flag string) string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// setFromEnv gives flags that the command line leaves out the values of their variables.
func setFromEnv(cmd *cobra.Command) (err error) {
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		value, ok := os.LookupEnv(envName(f.Name))
		if !ok || value == "" || f.Changed || f.Hidden || f.Name == "help" || err != nil || envName(f.Name) == envPrefix+"PORT" &&
			strings.Contains(value, "://") {
			return
		}
		values := []string{value}
		if f.Value.Type() == "stringArray" {
			values = strings.Split(strings.TrimSpace(value), "\n")
		}
		for _, v := range values {
			if bad := cmd.Flags().Set(f.Name, v); bad != nil {
				err = fmt.Errorf("%s, for --%s: %w", envName(f.Name), f.Name, bad)
				return
			}
		}
	})
	return err
}

// noteStrayEnv tells of variables that stand in for no flag of any command.
func noteStrayEnv(root *cobra.Command, out io.Writer, log *logOptions) {
	var known []string
	var walk func(cmd *cobra.Command)
	walk = func(cmd *cobra.Command) {
		for _, set := range []*pflag.FlagSet{cmd.Flags(), cmd.PersistentFlags()} {
			set.VisitAll(func(f *pflag.Flag) { known = append(known, envName(f.Name)) })
		}
		for _, sub := range cmd.Commands() {
			walk(sub)
		}
	}
	walk(root)
	var notes []string
	for _, pair := range os.Environ() {
		name, _, _ := strings.Cut(pair, "=")
		rest, ours := strings.CutPrefix(name, envPrefix)
		if !ours || slices.Contains(known, name) || otherVariables.MatchString(rest) {
			continue
		}
		notes = append(notes, fmt.Sprintf("the variable %s stands for no flag and changes nothing%s", name, didYouMean(name, known)))
	}
	slices.Sort(notes)
	log.journal(out).notes(notes)
}
