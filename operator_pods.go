package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"text/tabwriter"

	"podmail/mail"
	"podmail/server"
)

// podCommands are what the operator decides for one pod.
type podCommands struct {
	Limit limitPodCommand `cmd:"" help:"Show how many recipients a pod may write to, and has; or choose that for it."`
}

type limitPodCommand struct {
	ID      string `arg:"" help:"The pod, by pod id or client id."`
	PerHour *int64 `placeholder:"N" help:"Recipients in an hour; 0: as many as it likes."`
	PerDay  *int64 `placeholder:"N" help:"Recipients in a day; 0: as many as it likes."`
	Reset   bool   `help:"Go back to what is set for all pods."`
}

// Run changes what it is told to, and prints what holds then.
func (c limitPodCommand) Run(f *flags) error {
	if c.Reset && (c.PerHour != nil || c.PerDay != nil) {
		return errors.New("--reset goes back to what is set for all pods: give no numbers with it")
	}
	return f.operate(func(ctx context.Context, srv *server.Server, g mail.Grant) error {
		limit, err := srv.GetPodLimit(ctx, g, c.ID)
		if err != nil {
			return err
		}
		if err := c.choose(ctx, srv, g, limit); err != nil {
			return err
		}
		if limit, err = srv.GetPodLimit(ctx, g, c.ID); err != nil {
			return err
		}
		w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
		fmt.Fprintf(w, "per hour\t%s\twritten to %d\nper day\t%s\twritten to %d\nlimits\t%s\n", unlimited(limit.Rate.PerHour), limit.Sent.InHour,
			unlimited(limit.Rate.PerDay), limit.Sent.InDay, sourceOf(limit))
		return w.Flush()
	})
}

func (c limitPodCommand) choose(ctx context.Context, srv *server.Server, g mail.Grant, now server.PodLimit) error {
	switch {
	case c.Reset:
		return srv.LimitPod(ctx, g, c.ID, nil)
	case c.PerHour == nil && c.PerDay == nil:
		return nil
	}
	rate := mail.Rate{}
	if now.Chosen {
		rate = now.Rate
	}
	if c.PerHour != nil {
		rate.PerHour = *c.PerHour
	}
	if c.PerDay != nil {
		rate.PerDay = *c.PerDay
	}
	return srv.LimitPod(ctx, g, c.ID, &rate)
}

func unlimited(n int64) string {
	if n == 0 {
		return "unlimited"
	}
	return strconv.FormatInt(n, 10)
}

func sourceOf(l server.PodLimit) string {
	switch {
	case l.Chosen:
		return "chosen for this pod"
	case l.WarmUp:
		return "sending.new_pod_per_day, since the pod is new"
	}
	return "set for all pods"
}
