package main

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/gatewright/gatewright/controller/resources"
)

// completeFlags lets a shell complete the values of flags, of all commands below one: those of a few allowed ones, and those that
// the manifests of -f have.
func completeFlags(cmd *cobra.Command) {
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if values := strings.Split(f.Value.Type(), "|"); len(values) > 1 {
			register(cmd, f.Name, func(*cobra.Command) []string { return values })
		}
		if read, ok := manifestValues[f.Name]; ok && cmd.Flags().Lookup("filename") != nil {
			register(cmd, f.Name, func(cmd *cobra.Command) []string {
				names, err := cmd.Flags().GetStringArray("filename")
				if err != nil || slices.Contains(names, stdoutName) {
					return nil
				}
				s, _, _ := resources.NewReader().Follow(names, nil)
				return slices.Compact(slices.Sorted(slices.Values(read(s))))
			})
		}
	})
	for _, sub := range cmd.Commands() {
		completeFlags(sub)
	}
}

func register(cmd *cobra.Command, flag string, values func(*cobra.Command) []string) {
	// It fails for a flag that isn't there, or that has one already, and neither is so.
	_ = cmd.RegisterFlagCompletionFunc(flag, func(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
		return values(cmd), cobra.ShellCompDirectiveNoFileComp
	})
}

// manifestValues are the values of flags that manifests have.
var manifestValues = map[string]func(*resources.Snapshot) []string{
	"gateway": func(s *resources.Snapshot) (out []string) {
		for _, g := range s.Gateways {
			out = append(out, g.Namespace+"/"+g.Name)
		}
		return out
	},
	"gateway-class": func(s *resources.Snapshot) (out []string) {
		for _, g := range s.Gateways {
			out = append(out, string(g.Spec.GatewayClassName))
		}
		return out
	},
	"authority": func(s *resources.Snapshot) (out []string) {
		for _, r := range s.GRPCRoutes {
			for _, h := range r.Spec.Hostnames {
				out = append(out, string(h))
			}
		}
		return out
	},
	"method": func(s *resources.Snapshot) (out []string) {
		for _, r := range s.GRPCRoutes {
			for _, rule := range r.Spec.Rules {
				for _, m := range rule.Matches {
					if m.Method != nil && m.Method.Service != nil {
						method := ""
						if m.Method.Method != nil {
							method = *m.Method.Method
						}
						out = append(out, *m.Method.Service+"/"+method)
					}
				}
			}
		}
		return out
	},
}
