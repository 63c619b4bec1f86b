package main

import (
	"context"
	"fmt"
	"os"
	"strings"

	"podmail/mail"
	"podmail/server"
)

// forwardCommands say to whom inboxes hand on what arrives in them.
type forwardCommands struct {
	List   listForwardsCommand  `cmd:"" help:"List the inboxes that forward, and to whom."`
	Set    setForwardCommand    `cmd:"" help:"Have an inbox forward what arrives in it."`
	Remove removeForwardCommand `cmd:"" help:"Have it keep what arrives in it."`
}

type listForwardsCommand struct{}

// Run prints a table of the inboxes that forward, newest first.
func (listForwardsCommand) Run(f *flags) error {
	return f.operate(func(ctx context.Context, srv *server.Server, g mail.Grant) error {
		return table(os.Stdout, "INBOX\tTO\tCOPY\tCHANGED",
			func(p mail.Page) ([]mail.Inbox, string, error) { return srv.ListForwardings(ctx, g, p) },
			func(i mail.Inbox) []any {
				copied := map[bool]string{true: "kept", false: "none"}[i.Forwarding.KeepCopy]
				return []any{i.Address, strings.Join(i.Forwarding.Addresses, ","), copied, moment(i.Forwarding.UpdatedAt)}
			})
	})
}

type setForwardCommand struct {
	Inbox  string   `arg:"" help:"The inbox's address."`
	To     []string `arg:"" name:"address" help:"To whom: at most ten addresses, in place of those that there are."`
	NoCopy bool     `help:"Keep no copy of what was delivered there."`
}

// Run changes to whom the inbox forwards.
func (c setForwardCommand) Run(f *flags) error {
	return f.operate(func(ctx context.Context, srv *server.Server, g mail.Grant) error {
		i, err := srv.SetForwarding(ctx, g, c.Inbox, server.NewForwarding{Addresses: c.To, KeepCopy: !c.NoCopy})
		if err != nil {
			return err
		}
		fmt.Printf("%s forwards what arrives from now on to %s\n", i.Address, strings.Join(i.Forwarding.Addresses, ", "))
		return nil
	})
}

type removeForwardCommand struct {
	Inbox string `arg:"" help:"The inbox's address."`
}

// Run ends the forwarding.
func (c removeForwardCommand) Run(f *flags) error {
	return f.operate(func(ctx context.Context, srv *server.Server, g mail.Grant) error {
		if err := srv.RemoveForwarding(ctx, g, c.Inbox); err != nil {
			return err
		}
		fmt.Printf("%s keeps what arrives; what waits in the queue still goes\n", c.Inbox)
		return nil
	})
}
