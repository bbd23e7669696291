// Package bridge tests `gatewright bridge` as a program, behind nginx and HAProxy: gRPC clients tell what they saw of it.
package bridge
