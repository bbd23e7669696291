package main

import (
	"io"

	"github.com/spf13/cobra"

	"github.com/gatewright/gatewright/controller/graph"
)

const graphHelp = `Draw how Gateways, listeners, routes, rules and Services hang together, as Mermaid or DOT.

What is refused is red, with its reason.`

func newGraph(log *logOptions) *cobra.Command {
	o := &options{logOptions: log}
	cmd := &cobra.Command{
		Use:   "graph -f FILES",
		Short: "Draw how everything hangs together, and what is refused",
		Long:  graphHelp,
		Example: `  gatewright graph -f manifests/ > graph.mmd
  gatewright graph -f manifests/ -o dot | dot -Tsvg > graph.svg`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			p, err := o.translate(cmd.Context(), cmd.InOrStdin())
			if err != nil {
				return err
			}
			if err := o.leaveOut(p); err != nil {
				return err
			}
			o.journal(cmd.ErrOrStderr()).notes(p.notes)
			text, err := graph.Draw(o.output, graph.Edges(p.result, p.leftOut))
			if err != nil {
				return err
			}
			_, err = io.WriteString(cmd.OutOrStdout(), text)
			return err
		},
	}
	o.inputFlags(cmd.Flags())
	o.proxyFlags(cmd.Flags())
	o.formatFlag(cmd.Flags(), graph.Formats()...)
	return cmd
}
