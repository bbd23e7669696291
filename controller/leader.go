package controller

import (
	"context"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	coordinationv1 "k8s.io/client-go/kubernetes/typed/coordination/v1"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
)

// How replicas agree: another one takes over within 15 seconds after the leader has gone without a word. That is
// leaseDuration and the longest pause between two looks at the lease, which is up to 2.2 times retryPeriod.
const (
	leaseDuration = 10 * time.Second
	renewDeadline = 7 * time.Second
	retryPeriod   = 2 * time.Second
)

// elect writes statuses while this replica is the leader. Every replica serves, so one that loses the lease goes on
// and stands again.
func (c *Controller) elect(ctx context.Context) {
	if c.Alone || c.DryRun {
		c.writer.run(ctx)
		return
	}
	client, err := coordinationv1.NewForConfigAndClient(c.manager.GetConfig(), c.manager.GetHTTPClient())
	if err != nil {
		c.Log.Error("no status is written: the lease can't be used", "error", err)
		return
	}
	lock := &resourcelock.LeaseLock{
		LeaseMeta:  metav1.ObjectMeta{Namespace: c.LeaseNamespace, Name: c.LeaseName},
		Client:     client,
		LockConfig: resourcelock.ResourceLockConfig{Identity: c.Identity},
	}
	for ctx.Err() == nil {
		elector, err := leaderelection.NewLeaderElector(leaderelection.LeaderElectionConfig{
			Lock: lock, LeaseDuration: leaseDuration, RenewDeadline: renewDeadline, RetryPeriod: retryPeriod, ReleaseOnCancel: true, Name: c.LeaseName,
			Callbacks: leaderelection.LeaderCallbacks{
				OnStartedLeading: func(ctx context.Context) {
					c.Log.Info("this replica writes the statuses now", "lease", c.LeaseNamespace+"/"+c.LeaseName)
					c.writer.run(ctx)
				},
				OnStoppedLeading: func() {},
				OnNewLeader: func(identity string) {
					if identity != c.Identity {
						c.Log.Info("another replica writes the statuses", "replica", identity)
					}
				},
			},
		})
		if err != nil {
			c.Log.Error("no status is written: the lease can't be used", "error", err)
			return
		}
		elector.Run(ctx)
	}
}
