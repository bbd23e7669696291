package main

import "github.com/spf13/cobra"

func newRoot(log *logOptions) *cobra.Command {
	root := &cobra.Command{
		Use:           "gatewright",
		Short:         "Serve Gateway API GRPCRoutes on the proxy you already run",
		Version:       thisBuild().String(),
		SilenceUsage:  true,
		SilenceErrors: true,
		// Without it, a wrong name is taken for an argument and help is printed as if all were well.
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetVersionTemplate("gatewright {{.Version}}\n")
	root.CompletionOptions.HiddenDefaultCmd = true
	log.flags(root.PersistentFlags())
	root.AddCommand(newGenerate(log), newRun(log), newController(log), newReload(log), newBridge(log), newExplain(log), newGraph(log),
		newCapabilities(log), newInstall(), newExec(log), newVersion())
	return root
}
