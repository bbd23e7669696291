package main

import (
	"io"

	"github.com/spf13/cobra"

	"github.com/gatewright/gatewright/controller/graph"
)

const graphHelp = `Draw how Gateways, listeners, routes, rules and Services hang together, as Mermaid or DOT.

What is refused is red, with its reason.`

func newGraph(log *logOptions) *cobra.Command {
	var i inquiry
	var format string
	cmd := &cobra.Command{
		Use:   "graph -f FILES",
		Short: "Draw how everything hangs together, and what is refused",
		Long:  graphHelp,
		Example: `  gatewright graph -f manifests/ > graph.mmd
  gatewright graph -f manifests/ -o dot | dot -Tsvg > graph.svg`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			r, err := i.read(cmd, log)
			if err != nil {
				return err
			}
			text, err := graph.Draw(format, graph.Edges(r.Translated, r.LeftOut))
			if err != nil {
				return err
			}
			_, err = io.WriteString(cmd.OutOrStdout(), text)
			return err
		},
	}
	i.flags(cmd.Flags())
	formatFlag(cmd.Flags(), &format, graph.Formats()...)
	return cmd
}
