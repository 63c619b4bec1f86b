package server

import (
	"context"
	"errors"
	"io"
	"net/netip"
	"strings"
	"time"

	"podmail/mail"
	"podmail/mail/compose"
	"podmail/mail/parse"
	"podmail/storage"
)

// Session is what is known of the SMTP peer, for the Received field (RFC 5321 4.4) and the log.
type Session struct {
	Remote   netip.AddrPort
	HELO     string
	Protocol string // ESMTP, ESMTPS, ESMTPA, ESMTPSA (RFC 3848)
	TLS      string // version and cipher; empty without TLS
}

// Incoming is a message on its way in. Body is read to its end, once; any error of it but io.EOF refuses the message.
type Incoming struct {
	Session     Session
	ReversePath string // empty: a bounce
	Recipients  []string
	Inboxes     []mail.Inbox // of the first recipients, as Recipient found them; the others are looked up
	Body        io.Reader

	mail.Handling
	Reporting []mail.Reporting // of the recipients, in their order; may be shorter
	ReleaseAt time.Time        // of a submission that is to be held (RFC 4865); zero: at once

	// Authenticate tells what was found out about the sender. It is called once Body was read to its end; nil: nothing was
	// looked up, since the peer is trusted.
	Authenticate func() mail.Authentication
	Filter       func() mail.FilterResult // what rspamd thinks, called like that; nil: it was not asked
	Scan         func() mail.ScanResult   // what a virus scanner found, called like that; nil: none was asked
}

// maxReceived is how many Received fields a message may have before it counts as looping (RFC 5321 6.3).
const maxReceived = 100

// Recipient finds the inbox that an envelope recipient names (case-insensitive, plus-addresses included); the operator's
// for postmaster and abuse, what stands for one where a domain takes reports, and who handed on what bounces to the address.
// CodeNotFound if there is none, CodeForbidden if its domain is none of ours: nothing is relayed, but bounces to whom they
// concern.
func (s *Server) Recipient(ctx context.Context, reversePath, address string) (inbox mail.Inbox, err error) {
	now := s.clock.Now()
	wanted := inboxAddress(address)
	operators := s.isOperators(wanted)
	err = s.store.System().Read(ctx, func(tx storage.SystemTx) (err error) {
		if inbox, err = tx.FindInbox(wanted); !errors.Is(err, storage.ErrNotFound) || operators {
			return err
		}
		local, domain, _ := mail.SplitAddress(wanted)
		if _, ours, failed := servingDomain(tx.Tx, domain); failed != nil {
			return failed
		} else if !ours {
			return mail.Errorf(mail.CodeForbidden, "This server takes no mail for %s.", domain)
		}
		operators = isRole(local)
		if reports, ok, failed := reportsAddress(tx, wanted); failed != nil || ok {
			inbox, err = reports, failed
		}
		if errors.Is(err, storage.ErrNotFound) {
			inbox, err = s.returnsTo(tx, address, now)
		}
		return err
	})
	if err == nil && inbox.ReturnsTo != "" && reversePath != "" {
		return inbox, mail.Errorf(mail.CodeForbidden, "This address takes bounces only.")
	}
	if errors.Is(err, storage.ErrNotFound) && operators {
		return s.operatorsInbox(ctx)
	}
	return inbox, coded(err, "Mailbox")
}

// inboxAddress is the inbox that an address means: sub-addresses (user+detail, RFC 5233) belong to the user.
func inboxAddress(address string) string {
	address = asciiAddress(address)
	local, domain, ok := mail.SplitAddress(address)
	if i := strings.IndexByte(local, '+'); ok && i > 0 {
		return local[:i] + "@" + domain
	}
	return address
}

// asciiAddress is the form under which an address, or a domain, is looked up: a domain in another script is its ASCII form
// (RFC 5891).
func asciiAddress(address string) string {
	address = mail.CanonicalAddress(address)
	at := strings.LastIndexByte(address, '@') + 1
	return address[:at] + parse.Domain(address[at:])
}

// Deliver puts a message into the inboxes of all its recipients, in one transaction, synced. Recipients are those that
// Recipient accepted. Codes: too_large, invalid, unavailable, not_found (an inbox went away meanwhile). Once the
// sender knows, the door calls Heard with the context's trace id.
func (s *Server) Deliver(ctx context.Context, in Incoming) error {
	ctx = s.traced(ctx)
	to, err := s.addressees(ctx, in)
	if err != nil {
		return err
	}
	inboxes := inboxesOf(to)
	c, err := s.stage(ctx, podsOf(inboxes), parse.WithoutResults(in.Body, s.hostname))
	if err != nil {
		return err
	}
	defer s.discard(c)
	r := received{reversePath: in.ReversePath, recipients: in.Recipients, toRoles: toRoles(in.Recipients), handling: in.Handling, at: s.clock.Now(), unchecked: "The peer is trusted: nothing was looked up."}
	if in.Authenticate != nil {
		a := in.Authenticate()
		r.authentication = &a
	}
	r.vouched = vouched(r.reversePath, r.authentication)
	r.trace = s.trace(ctx, in, r)
	p, err := s.parsed(ctx, c, r.trace)
	if err != nil {
		return err
	}
	if p.Received > maxReceived {
		return s.counters.turnedAway(mail.ByHops, mail.Errorf(mail.CodeInvalid, "The message has passed through too many hosts: it loops.").WithReason(mail.ReasonRoutingLoop))
	}
	if in.Filter != nil {
		found := in.Filter()
		r.filter = &found
	}
	if in.Scan != nil {
		found := in.Scan()
		if err := s.infected(ctx, found); err != nil {
			return s.counters.turnedAway(mail.ByScanner, err)
		}
		r.scan = &found
	}
	if err := s.greylist(ctx, inboxes, p, r); err != nil {
		return err
	}
	if id := mail.TraceID(ctx); in.Session.Remote.IsValid() {
		if r.passages, err = s.passages(ctx, c, p.Received); err != nil {
			return err
		}
		r.unheard = s.unheard.has
		s.unheard.add(id, r.at)
	}
	err = s.arrive(ctx, to, p, c, r)
	s.countDMARC(&r, inboxes, err)
	if err != nil {
		s.Heard(mail.TraceID(ctx)) // there is nothing that could be there twice
	}
	return err
}

// arrive files a message that came from another host, and has its sender told what he asked to be told of.
func (s *Server) arrive(ctx context.Context, to []addressee, p *mail.Parsed, c *content, r received) error {
	a, err := s.newArrival(ctx, to, p, c, r)
	if err != nil {
		return err
	}
	defer func() {
		for i := range a.landings {
			s.discardNotices(a.landings[i].notices)
		}
	}()
	for i := range a.landings {
		if err := s.confirm(ctx, &a.landings[i], c, r); err != nil {
			return err
		}
	}
	return s.fileArrival(ctx, a, nil)
}

// vouched tells by what the reverse-path of a message is known to be its sender's: SPF, or a signature of its domain. A
// peer that is trusted is believed.
func vouched(reversePath string, a *mail.Authentication) mail.Voucher {
	_, domain, ok := mail.SplitAddress(reversePath)
	if ok && (a == nil || a.SPF.Result == mail.AuthPass || a.Signed(domain)) {
		return mail.VouchedByChecks
	}
	return ""
}

// traced makes sure that the context carries the id which follows the message.
func (s *Server) traced(ctx context.Context) context.Context {
	if mail.TraceID(ctx) != "" {
		return ctx
	}
	id, err := s.newID()
	if err != nil {
		s.log.Error("no trace id", "error", err)
	}
	return mail.WithTrace(ctx, id)
}

// trace is the header fields that we put on top of what came in (RFC 5321 4.4).
func (s *Server) trace(ctx context.Context, in Incoming, r received) []byte {
	hop := compose.Hop{HELO: in.Session.HELO, By: s.hostname, Protocol: in.Session.Protocol, TLS: in.Session.TLS, ID: mail.TraceID(ctx), Time: r.at}
	if in.Session.Remote.IsValid() {
		hop.Remote = in.Session.Remote.Addr()
	}
	if len(in.Recipients) == 1 { // more would tell recipients of each other
		hop.For = in.Recipients[0]
	}
	results := ""
	if r.authentication != nil {
		results = compose.AuthenticationResults(s.hostname, r.authentication)
	}
	return []byte(compose.ReturnPath(in.ReversePath) + results + compose.Received(hop))
}
