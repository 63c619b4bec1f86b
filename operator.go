package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"podmail/mail"
	"podmail/server"
	"podmail/storage"
)

// This file holds the operator's commands. They open the file that a server made, beside that server if it runs.

type createKeyCommand struct {
	Pod   *string `xor:"scope" placeholder:"ID" help:"For this pod alone, by pod id or client id."`
	Inbox *string `xor:"scope" placeholder:"ADDRESS" help:"For this inbox alone."`
	Name  string  `placeholder:"NAME" help:"What to call it in lists."`
}

// Run prints the new key.
func (k createKeyCommand) Run(f *flags) error {
	return f.operate(func(ctx context.Context, srv *server.Server, g mail.Grant) (err error) {
		if k.Pod != nil { // be it empty: that is no key for everything
			g, err = srv.InPod(ctx, g, *k.Pod)
		} else if k.Inbox != nil {
			g, err = srv.InInbox(ctx, g, *k.Inbox)
		}
		if err != nil {
			return err
		}
		_, secret, err := srv.CreateAPIKey(ctx, g, server.NewAPIKey{Name: k.Name})
		if err != nil {
			return err
		}
		_, err = fmt.Println(secret)
		return err
	})
}

type listKeysCommand struct{}

// Run prints a table of the keys, newest first.
func (listKeysCommand) Run(f *flags) error {
	return f.operate(func(ctx context.Context, srv *server.Server, g mail.Grant) error {
		return table(os.Stdout, "ID\tTYPE\tPREFIX\tSCOPE\tNAME\tCREATED\tUSED",
			func(p mail.Page) ([]mail.APIKey, string, error) { return srv.ListAPIKeys(ctx, g, "", p) },
			func(k mail.APIKey) []any {
				within := map[mail.ScopeType]string{mail.ScopePod: " " + k.PodID, mail.ScopeInbox: " " + k.InboxID}
				scope := k.Scope.Type()
				return []any{k.APIKeyID, k.Type, k.Prefix, string(scope) + within[scope], k.Name, moment(k.CreatedAt), moment(k.UsedAt)}
			})
	})
}

type revokeKeyCommand struct {
	ID string `arg:"" help:"The key's id, as podmail key list shows it."`
}

// Run revokes the key.
func (k revokeKeyCommand) Run(f *flags) error {
	return f.operate(func(ctx context.Context, srv *server.Server, g mail.Grant) error {
		return srv.DeleteAPIKey(ctx, g, k.ID)
	})
}

type explainCommand struct {
	MessageID string `arg:"" help:"The message's Message-ID, with or without its angle brackets."`
}

// Run prints what is known of every message that has the id.
func (e explainCommand) Run(f *flags) error {
	return f.operate(func(ctx context.Context, srv *server.Server, g mail.Grant) error {
		found, err := srv.ExplainEverywhere(ctx, g, e.MessageID)
		for _, x := range found {
			w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
			fmt.Fprintf(w, "inbox\t%s\nreceived\t%s\nsubject\t%q\nlabels\t%s\nplacement\t%s\nwhy\t%s\n", x.Message.InboxID, moment(x.Message.Timestamp), x.Message.Envelope.Subject,
				strings.Join(x.Message.Labels, " "), x.Intake.Placement, oneLine(x.Intake.Reason))
			if found := x.Intake.Scan; found != nil {
				fmt.Fprintf(w, "virus scan\t%s %s%s\n", found.Verdict, found.Name, found.Reason)
			}
			if found := x.Intake.Filter; found != nil && found.Failure != "" {
				fmt.Fprintf(w, "rspamd\tno answer: %s\n", oneLine(found.Failure))
			} else if found != nil {
				fmt.Fprintf(w, "rspamd\t%s, %.1f of %.1f %s\n", found.Action, found.Score, found.Required, strings.Join(found.Symbols, " "))
			}
			if x.Intake.Spam != nil {
				fmt.Fprintf(w, "spam filter\t%.3f of 1, spam from %.2f on\n", x.Intake.Spam.Score, x.Intake.Spam.Threshold)
			}
			if x.Intake.Forwarding != "" {
				fmt.Fprintf(w, "forwarding\t%s\n", x.Intake.Forwarding)
			}
			for _, d := range x.Forwards {
				fmt.Fprintf(w, "forwarded\t%s: %s %s\n", d.Recipient, d.State, oneLine(d.LastReply))
			}
			if x.Intake.Authentication != nil {
				explainAuthentication(w, x.Intake.Authentication)
			}
			fmt.Fprintln(w)
			if err := w.Flush(); err != nil {
				return err
			}
		}
		return err
	})
}

// explainAuthentication prints a line for each thing that was looked up.
func explainAuthentication(w io.Writer, a *mail.Authentication) {
	line := func(what string, result mail.AuthResult, about, reason string) {
		fmt.Fprintf(w, "%s\t%s\n", what, strings.Join(strings.Fields(fmt.Sprintf("%s %s %s", result, about, reason)), " "))
	}
	fmt.Fprintf(w, "peer\t%s %s\nsender\t<%s>\n", a.Remote, a.HELO, a.ReversePath)
	line("reverse DNS", a.Reverse.Result, a.Reverse.Name, a.Reverse.Reason)
	line("SPF of HELO", a.HELOSPF.Result, a.HELOSPF.Domain, a.HELOSPF.Reason)
	line("SPF", a.SPF.Result, a.SPF.Domain, a.SPF.Reason)
	for _, d := range a.DKIM {
		line("DKIM", d.Result, d.Domain+" "+d.Selector, d.Reason)
	}
	line("ARC", a.ARC.Result, strings.Join(a.ARC.Sealers, " "), a.ARC.Reason)
	line("DMARC", a.DMARC.Result, a.DMARC.From+" "+string(a.DMARC.Policy), a.DMARC.Reason)
}

// operate opens the file that a server made, beside that server if it runs, and calls do with the operator's grant.
func (f *flags) operate(do func(context.Context, *server.Server, mail.Grant) error) (err error) {
	cfg, err := f.load()
	if err != nil {
		return err
	}
	path := databasePath(&cfg)
	if _, err := os.Stat(path); err != nil {
		return fmt.Errorf("%w; start podmail serve first, or name its folder with --data", err)
	}
	ctx := context.Background()
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	store, err := storage.Open(ctx, storage.Options{Path: path, AsItIs: true, Log: log})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	srv := server.New(serverOptions(&cfg, store, "", log))
	return do(ctx, srv, srv.Operator())
}

// table prints all pages of a list in columns.
func table[T any](w io.Writer, header string, list func(mail.Page) ([]T, string, error), row func(T) []any) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, header)
	for p := (mail.Page{Limit: 100}); ; {
		items, next, err := list(p)
		if err != nil {
			return err
		}
		for _, item := range items {
			for i, cell := range row(item) {
				if i > 0 {
					fmt.Fprint(t, "\t")
				}
				fmt.Fprint(t, cell)
			}
			fmt.Fprintln(t)
		}
		if p.Token = next; next == "" {
			return t.Flush()
		}
	}
}

func moment(at time.Time) string {
	if at.IsZero() {
		return "never"
	}
	return at.UTC().Format("2006-01-02 15:04:05Z")
}

// oneLine is text for a table.
func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }
