package main

import (
	"github.com/spf13/cobra"

	"github.com/gatewright/gatewright/runtime/proxies"
)

const capabilitiesHelp = `Say what a proxy can do, and what its lacks turn off.

--proxy-binary asks a binary; --proxy-version tells it of a version as it is usually built.`

func newCapabilities(log *logOptions) *cobra.Command {
	var t target
	var format string
	cmd := &cobra.Command{
		Use:   "capabilities",
		Short: "Say what a proxy can do, and what its lacks turn off",
		Long:  capabilitiesHelp,
		Example: `  gatewright capabilities --proxy-binary /usr/sbin/nginx
  gatewright capabilities --proxy nginx --proxy-version 1.22.1 -o json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := t.check(cmd.Flags()); err != nil {
				return err
			}
			caps, note, err := t.capabilities(cmd.Context())
			if err != nil {
				return err
			}
			if note != "" {
				log.journal(cmd.ErrOrStderr()).notes([]string{note})
			}
			d := proxies.Describe(caps)
			return printValue(cmd.OutOrStdout(), format, d, d.Text)
		},
	}
	t.flags(cmd.Flags())
	formatFlag(cmd.Flags(), &format, "text", "json", "yaml")
	return cmd
}
