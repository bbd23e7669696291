// Package policy has the custom resources of this project, for what the Gateway API has no field for: a rule of a GRPCRoute refers to
// some by ExtensionRef, a Gateway or its class to another one, and one names Services. It imports nothing of this module.
package policy
