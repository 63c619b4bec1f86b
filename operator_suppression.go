package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"podmail/mail"
	"podmail/server"
)

// suppressionCommands look at whom a pod writes to no more, and change it: its send block list.
type suppressionCommands struct {
	List   listSuppressionCommand   `cmd:"" help:"List the addresses and domains, with reason and end."`
	Add    addSuppressionCommand    `cmd:"" help:"Add addresses or domains."`
	Remove removeSuppressionCommand `cmd:"" help:"Remove addresses or domains; they can be written to again."`
	Export exportSuppressionCommand `cmd:"" help:"Print the list as CSV, with a first line that names the columns."`
}

// suppressionOf is whose list a command is about.
type suppressionOf struct {
	Pod string `placeholder:"ID" help:"A pod, by pod id or client id; without one, the list that holds for all pods."`
}

var suppressionList = server.List{Direction: mail.DirectionSend, Type: mail.ListBlock}

func (s suppressionOf) operate(f *flags, do func(context.Context, *server.Server, mail.Grant) error) error {
	return f.operate(func(ctx context.Context, srv *server.Server, g mail.Grant) (err error) {
		if s.Pod != "" {
			if g, err = srv.InPod(ctx, g, s.Pod); err != nil {
				return err
			}
		}
		return do(ctx, srv, g)
	})
}

type listSuppressionCommand struct{ suppressionOf }

// Run prints a table of the entries.
func (c listSuppressionCommand) Run(f *flags) error {
	return c.operate(f, func(ctx context.Context, srv *server.Server, g mail.Grant) error {
		return table(os.Stdout, "ENTRY\tMADE BY\tSINCE\tENDS\tREASON",
			func(p mail.Page) ([]mail.ListEntry, string, error) {
				return srv.ListListEntries(ctx, g, suppressionList, p)
			},
			func(e mail.ListEntry) []any {
				madeBy := map[bool]string{true: "server", false: "hand"}[e.ReadOnly]
				return []any{e.Entry, madeBy, moment(e.CreatedAt), moment(e.ExpiresAt), oneLine(e.Reason)}
			})
	})
}

// suppressed are the entries that a command is about.
type suppressed struct {
	suppressionOf
	Entries []string `arg:"" name:"entry" help:"Addresses, or domains with all below them."`
}

type addSuppressionCommand struct {
	suppressed
	Reason string `placeholder:"TEXT" help:"Why; who is refused is told."`
	Days   uint16 `placeholder:"N" help:"After so many days it goes by itself; 0: it stays."`
}

// Run adds the entries. One that is there already stays as it is.
func (c addSuppressionCommand) Run(f *flags) error {
	return c.operate(f, func(ctx context.Context, srv *server.Server, g mail.Grant) error {
		n := server.NewListEntry{Reason: c.Reason}
		if c.Days > 0 {
			n.ExpiresAt = wallClock{}.Now().Add(time.Duration(c.Days) * 24 * time.Hour)
		}
		for _, n.Entry = range c.Entries {
			e, err := srv.CreateListEntry(ctx, g, suppressionList, n)
			if err != nil {
				return fmt.Errorf("%s: %w", n.Entry, err)
			}
			fmt.Printf("%s: on the list; ends: %s\n", e.Entry, moment(e.ExpiresAt))
		}
		return nil
	})
}

type removeSuppressionCommand struct{ suppressed }

// Run removes the entries.
func (c removeSuppressionCommand) Run(f *flags) error {
	return c.operate(f, func(ctx context.Context, srv *server.Server, g mail.Grant) error {
		for _, entry := range c.Entries {
			if err := srv.DeleteListEntry(ctx, g, suppressionList, entry); err != nil {
				return fmt.Errorf("%s: %w", entry, err)
			}
			fmt.Printf("%s: removed\n", entry)
		}
		return nil
	})
}

type exportSuppressionCommand struct{ suppressionOf }

// Run prints the list as CSV.
func (c exportSuppressionCommand) Run(f *flags) error {
	return c.operate(f, func(ctx context.Context, srv *server.Server, g mail.Grant) error {
		return srv.ExportList(ctx, g, suppressionList, os.Stdout)
	})
}
