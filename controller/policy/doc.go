// Package policy has the custom resources of this project, which a rule of a GRPCRoute refers to by ExtensionRef for what the Gateway
// API has no field for. It imports nothing of this module.
package policy
