package main

import (
	"context"
	"fmt"

	"podmail/mail"
	"podmail/server"
)

// domainCommands tell what domains publish, and change their keys.
type domainCommands struct {
	Records    domainRecordsCommand `cmd:"" help:"Print the DNS records to publish, as lines of a zone file, and what the last check found of each."`
	Verify     verifyDomainCommand  `cmd:"" help:"Look the records up now, and print what was found."`
	RotateKeys rotateKeysCommand    `cmd:"" name:"rotate-keys" help:"Make new DKIM keys, which sign once their records are published, and print the records."`
}

// namedDomain is the domain that a command is about.
type namedDomain struct {
	Name string `arg:"" optional:"" help:"The domain; the default domain if it is left out."`
}

// publish does something to the domain and prints what it has to publish then.
func (n namedDomain) publish(f *flags, do func(context.Context, *server.Server, mail.Grant, string) error) error {
	return f.operate(func(ctx context.Context, srv *server.Server, g mail.Grant) error {
		name := n.Name
		if name == "" {
			name = srv.DefaultDomain()
		}
		if err := do(ctx, srv, g, name); err != nil {
			return err
		}
		d, err := srv.GetDomain(ctx, g, name)
		if err != nil {
			return err
		}
		for _, r := range d.Records {
			found := string(r.Status)
			if r.Reason != "" {
				found += " " + r.Reason
			}
			if _, err := fmt.Printf("; %s\n%s", found, mail.ZoneFile([]mail.DomainRecord{r})); err != nil {
				return err
			}
		}
		return nil
	})
}

type domainRecordsCommand struct{ namedDomain }

// Run prints the domain's records. The default domain gets its keys with that, if it has none yet.
func (c domainRecordsCommand) Run(f *flags) error {
	return c.publish(f, func(context.Context, *server.Server, mail.Grant, string) error { return nil })
}

type verifyDomainCommand struct{ namedDomain }

// Run checks the domain.
func (c verifyDomainCommand) Run(f *flags) error {
	return c.publish(f, func(ctx context.Context, srv *server.Server, g mail.Grant, name string) error {
		return srv.VerifyDomain(ctx, g, name)
	})
}

type rotateKeysCommand struct{ namedDomain }

// Run begins the rotation, or shows the one that is under way.
func (c rotateKeysCommand) Run(f *flags) error {
	return c.publish(f, func(ctx context.Context, srv *server.Server, g mail.Grant, name string) error {
		_, err := srv.RotateKeys(ctx, g, name)
		return err
	})
}
