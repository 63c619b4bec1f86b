package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"text/tabwriter"

	"podmail/mail"
	"podmail/server"
)

// queueCommands look at the queue of outgoing mail, and change what waits in it.
type queueCommands struct {
	List    listQueueCommand   `cmd:"" help:"List the deliveries that wait."`
	Show    showQueueCommand   `cmd:"" help:"Show a delivery, and what hosts said to each attempt."`
	Retry   retryQueueCommand  `cmd:"" help:"Try deliveries at once, whatever is known of their destination."`
	Hold    holdQueueCommand   `cmd:"" help:"Keep deliveries in the queue until they are released."`
	Release freeQueueCommand   `cmd:"" help:"Let held deliveries go on."`
	Drop    dropQueueCommand   `cmd:"" help:"Give deliveries up; the sender is told that they were rejected."`
	Pause   pauseQueueCommand  `cmd:"" help:"Stop what a pod sends, what is sent from a domain, or what goes to one. It is accepted, and waits."`
	Resume  resumeQueueCommand `cmd:"" help:"Let go on what was stopped."`
	Pauses  pausesQueueCommand `cmd:"" help:"List what is stopped."`
}

type listQueueCommand struct{}

// Run prints a table of the deliveries that wait, newest first.
func (listQueueCommand) Run(f *flags) error {
	return f.operate(func(ctx context.Context, srv *server.Server, g mail.Grant) error {
		return table(os.Stdout, "ID\tQUEUED\tPURPOSE\tSTATE\tSENDER\tRECIPIENT\tCOURIER\tATTEMPTS\tNEXT\tLAST REPLY",
			func(p mail.Page) ([]mail.Delivery, string, error) { return srv.ListDeliveries(ctx, g, p) },
			func(d mail.Delivery) []any {
				return []any{d.ID, moment(d.CreatedAt), d.Purpose, d.State, or(d.Sender, "<>"), d.Recipient, d.Courier, d.Attempts, moment(d.NextAttemptAt), oneLine(d.LastReply)}
			})
	})
}

// deliveries are those that a command is about.
type deliveries struct {
	IDs []int64 `arg:"" name:"id" help:"Their ids, as podmail queue list shows them."`
}

// each does something to every one of them, and says so.
func (d deliveries) each(f *flags, done string, do func(*server.Server, context.Context, mail.Grant, int64) error) error {
	return f.operate(func(ctx context.Context, srv *server.Server, g mail.Grant) error {
		for _, id := range d.IDs {
			if err := do(srv, ctx, g, id); err != nil {
				return fmt.Errorf("delivery %d: %w", id, err)
			}
			fmt.Printf("%d: %s\n", id, done)
		}
		return nil
	})
}

type showQueueCommand struct{ deliveries }

// Run prints what is known of the deliveries.
func (c showQueueCommand) Run(f *flags) error {
	return f.operate(func(ctx context.Context, srv *server.Server, g mail.Grant) error {
		for _, id := range c.IDs {
			d, attempts, err := srv.GetDelivery(ctx, g, id)
			if err != nil {
				return err
			}
			w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
			showDelivery(w, &d, attempts)
			if err := w.Flush(); err != nil {
				return err
			}
		}
		return nil
	})
}

func showDelivery(w io.Writer, d *mail.Delivery, attempts []mail.DeliveryAttempt) {
	fmt.Fprintf(w, "delivery\t%d\npurpose\t%s\nmessage\t%s\ntrace\t%s\nsender\t%s\nrecipient\t%s\ncourier\t%s\nstate\t%s\nqueued\t%s\nnext attempt\t%s\n",
		d.ID, d.Purpose, d.MessageID, d.TraceID, or(d.Sender, "<>"), d.Recipient, d.Courier, d.State, moment(d.CreatedAt), moment(d.NextAttemptAt))
	if d.HeldBy != "" {
		fmt.Fprintf(w, "held by\ta key of the %s\n", d.HeldBy)
	}
	if d.Purpose.HandsOn() {
		fmt.Fprintf(w, "came from\t<%s>\n", d.Origin.ReversePath)
	}
	said := ""
	for _, a := range attempts {
		said = a.Reply
		fmt.Fprintf(w, "%s\t%s\n", moment(a.At), oneLine(fmt.Sprintf("%s %s %s", or(a.Host, "no host"), or(a.TLS, "no TLS"), a.Reply)))
	}
	if d.LastReply != "" && d.LastReply != said { // by no host that was asked: by us, or in a report that came back
		fmt.Fprintf(w, "%s\t%s\n", moment(d.UpdatedAt), oneLine(d.LastReply))
	}
	fmt.Fprintln(w)
}

func or(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}

type retryQueueCommand struct{ deliveries }

// Run has the deliveries tried at once.
func (c retryQueueCommand) Run(f *flags) error {
	return c.each(f, "is tried within seconds; podmail queue show tells how it went", (*server.Server).RetryDelivery)
}

type holdQueueCommand struct{ deliveries }

// Run keeps the deliveries in the queue.
func (c holdQueueCommand) Run(f *flags) error {
	return c.each(f, "held; podmail queue release lets it go on", (*server.Server).HoldDelivery)
}

type freeQueueCommand struct{ deliveries }

// Run lets held deliveries go on.
func (c freeQueueCommand) Run(f *flags) error {
	return c.each(f, "released", (*server.Server).ReleaseDelivery)
}

type dropQueueCommand struct{ deliveries }

// Run gives the deliveries up.
func (c dropQueueCommand) Run(f *flags) error {
	return c.each(f, "dropped; the sender is told", (*server.Server).DropDelivery)
}

// stoppable is what a pause is about: one of them is there, though it may be empty, as of a variable that is not set.
type stoppable struct {
	Pod         *string `xor:"what" required:"" placeholder:"ID" help:"A pod, by pod id or client id."`
	Domain      *string `xor:"what" required:"" placeholder:"NAME" help:"A domain that mail is sent from."`
	Destination *string `xor:"what" required:"" placeholder:"NAME" help:"A domain that mail goes to."`
}

func (s stoppable) named() (mail.PauseKind, string) {
	switch {
	case s.Pod != nil:
		return mail.PausePod, *s.Pod
	case s.Domain != nil:
		return mail.PauseDomain, *s.Domain
	}
	return mail.PauseDestination, *s.Destination
}

type pauseQueueCommand struct {
	stoppable
	Reason string `placeholder:"TEXT" help:"Why; keys of a pod that is stopped see it too."`
}

// Run stops mail.
func (c pauseQueueCommand) Run(f *flags) error {
	kind, name := c.named()
	return f.operate(func(ctx context.Context, srv *server.Server, g mail.Grant) error {
		if _, err := srv.Pause(ctx, g, kind, name, c.Reason); err != nil {
			return err
		}
		fmt.Printf("%s %s is stopped; podmail queue resume --%[1]s %[2]s lets it go on\n", kind, name)
		return nil
	})
}

type resumeQueueCommand struct{ stoppable }

// Run lets mail go on.
func (c resumeQueueCommand) Run(f *flags) error {
	kind, name := c.named()
	return f.operate(func(ctx context.Context, srv *server.Server, g mail.Grant) error {
		if err := srv.Resume(ctx, g, kind, name); err != nil {
			return err
		}
		fmt.Printf("%s %s goes on within seconds\n", kind, name)
		return nil
	})
}

type pausesQueueCommand struct{}

// Run prints a table of what is stopped.
func (pausesQueueCommand) Run(f *flags) error {
	return f.operate(func(ctx context.Context, srv *server.Server, g mail.Grant) error {
		return table(os.Stdout, "WHAT\tNAME\tSINCE\tREASON",
			func(mail.Page) ([]mail.Pause, string, error) {
				pauses, err := srv.ListPauses(ctx, g)
				return pauses, "", err
			},
			func(p mail.Pause) []any { return []any{p.Kind, p.Name, moment(p.CreatedAt), p.Reason} })
	})
}

type traceCommand struct {
	MessageID string `arg:"" help:"The message's Message-ID, with or without its angle brackets."`
}

// Run prints where a message is, in every inbox that sent or received it, and what became of it on its way.
func (c traceCommand) Run(f *flags) error {
	return f.operate(func(ctx context.Context, srv *server.Server, g mail.Grant) error {
		traced, err := srv.Trace(ctx, g, c.MessageID)
		if err != nil {
			return err
		}
		for _, t := range traced {
			w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
			labels := oneLine(fmt.Sprint(t.Message.Labels))
			if t.Deleted {
				labels = "none: it was deleted"
			}
			fmt.Fprintf(w, "inbox\t%s\nsince\t%s\nlabels\t%s\ntrace\t%s\n\n", t.Message.InboxID, moment(t.Message.Timestamp), labels, t.Message.TraceID)
			for i := range t.Deliveries {
				showDelivery(w, &t.Deliveries[i], t.Attempts[t.Deliveries[i].ID])
			}
			if err := w.Flush(); err != nil {
				return err
			}
		}
		return nil
	})
}
