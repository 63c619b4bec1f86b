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
		limit, err := c.choose(ctx, srv, g)
		if err != nil {
			return err
		}
		w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
		fmt.Fprintf(w, "per hour\t%s\twritten to %d\nper day\t%s\twritten to %d\nlimits\t%s\n", unlimited(limit.Rate.PerHour), limit.Sent.InHour,
			unlimited(limit.Rate.PerDay), limit.Sent.InDay, sourceOf(limit))
		return w.Flush()
	})
}

// choose changes what it is told to, and returns what holds then.
func (c limitPodCommand) choose(ctx context.Context, srv *server.Server, g mail.Grant) (server.PodLimit, error) {
	if c.PerHour != nil || c.PerDay != nil {
		return srv.LimitPod(ctx, g, c.ID, server.RateChange{PerHour: c.PerHour, PerDay: c.PerDay})
	}
	if c.Reset {
		if err := srv.UnlimitPod(ctx, g, c.ID); err != nil {
			return server.PodLimit{}, err
		}
	}
	return srv.GetPodLimit(ctx, g, c.ID)
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
