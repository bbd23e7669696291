package controller

import (
	"context"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	coordinationv1 "k8s.io/client-go/kubernetes/typed/coordination/v1"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
)

// How replicas agree: another one takes over within 15 seconds after the leader has gone without a word. That is
// leaseDuration and the longest pause between two looks at the lease, which is up to 2.2 times retryPeriod.
const (
	leaseDuration = 10 * time.Second
	renewDeadline = 5 * time.Second
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
			Lock: lock, LeaseDuration: leaseDuration, RenewDeadline: renewDeadline, RetryPeriod: retryPeriod, Name: c.LeaseName,
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
		// Nothing is written while another replica may have the lease.
		c.writer.wait()
		if !elector.IsLeader() {
			continue
		}
		if err := release(lock); err != nil {
			c.Log.Warn("the lease can't be released; another replica takes over when it has run out", "error", err)
		}
	}
}

// releaseTimeout is how long it may take to release the lease.
const releaseTimeout = 3 * time.Second

// release gives the lease up if it is ours, so that another replica need not wait until it runs out. The elector would do so
// while statuses are still being written.
func release(lock *resourcelock.LeaseLock) error {
	ctx, cancel := context.WithTimeout(context.Background(), releaseTimeout)
	defer cancel()
	record, _, err := lock.Get(ctx)
	if apierrors.IsNotFound(err) || err == nil && record.HolderIdentity != lock.Identity() {
		return nil
	}
	if err != nil {
		return err
	}
	now := metav1.Now()
	return lock.Update(ctx, resourcelock.LeaderElectionRecord{
		LeaderTransitions: record.LeaderTransitions, LeaseDurationSeconds: 1, RenewTime: now, AcquireTime: now,
	})
}
