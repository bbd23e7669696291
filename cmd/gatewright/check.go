package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/gatewright/gatewright/controller/resources"
)

const checkHelp = `Check manifests by themselves, for an editor or a hook: what an API server would refuse of them, a line each, as
FILE:LINE: MESSAGE. What they refer to needn't be there; "gatewright generate" and "gatewright status" look at all together.

Exit codes: 0 fine, 1 something is wrong.`

func newCheck(log *logOptions) *cobra.Command {
	return &cobra.Command{
		Use:   "check FILE...",
		Short: "Check manifests by themselves, for an editor or a hook",
		Long:  checkHelp,
		Example: `  gatewright check route.yaml
  git diff --cached --name-only -- '*.yaml' | xargs gatewright check`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return errors.New("no manifests: name files or folders, or - for stdin")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error { return checkManifests(cmd, args, log) },
	}
}

func checkManifests(cmd *cobra.Command, args []string, log *logOptions) error {
	_, notes, err := resources.Load(args, cmd.InOrStdin())
	var texts []string
	for _, n := range notes {
		texts = append(texts, n.String())
	}
	log.journal(cmd.ErrOrStderr()).notes(texts)
	var problems resources.Problems
	if !errors.As(err, &problems) {
		return err
	}
	for _, p := range problems {
		place := p.Source
		if p.Line > 0 {
			place = fmt.Sprintf("%s:%d", p.Source, p.Line)
		}
		text := place
		for _, part := range []string{p.Object, p.Field, p.Text} {
			if part != "" {
				text += ": " + part
			}
		}
		if _, err := io.WriteString(cmd.OutOrStdout(), text+"\n"); err != nil {
			return err
		}
	}
	return exitCode(exitError)
}
