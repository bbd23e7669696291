package main

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
)

func newRoot(log *logOptions) *cobra.Command {
	root := &cobra.Command{
		Use:           "gatewright",
		Short:         "Serve Gateway API GRPCRoutes on the proxy you already run",
		Version:       thisBuild().String(),
		SilenceUsage:  true,
		SilenceErrors: true,
		// Without it, a wrong name is taken for an argument and help is printed as if all were well.
		Args: knownCommand,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			if strings.HasPrefix(cmd.Name(), cobra.ShellCompRequestCmd) {
				return nil
			}
			if err := setFromEnv(cmd); err != nil {
				return err
			}
			noteStrayEnv(cmd.Root(), cmd.ErrOrStderr(), log)
			return nil
		},
		Annotations: map[string]string{cobra.CommandDisplayNameAnnotation: calledAs(os.Args[0])},
	}
	root.SetFlagErrorFunc(suggestFlag)
	root.SetVersionTemplate("gatewright {{.Version}}\n")
	log.flags(root.PersistentFlags())
	root.AddCommand(newGenerate(log), newRun(log), newController(log), newReload(log), newBridge(log), newExplain(log), newGraph(log),
		newCapabilities(log), newStatus(log), newCheck(log), newInstall(), newExec(log), newVersion())
	completeFlags(root)
	return root
}

// calledAs is the name that messages have for the program: kubectl runs kubectl-gatewright for "kubectl gatewright".
func calledAs(path string) string {
	if name := filepath.Base(path); strings.HasPrefix(name, "kubectl-") {
		return strings.Replace(name, "-", " ", 1)
	}
	return "gatewright"
}
