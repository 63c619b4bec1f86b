package server

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/netip"
	"strings"
	"time"

	"golang.org/x/net/idna"

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
// for postmaster and abuse, and what stands for one where a domain takes reports. CodeNotFound if there is none,
// CodeForbidden if its domain is none of ours: nothing is relayed.
func (s *Server) Recipient(ctx context.Context, address string) (inbox mail.Inbox, err error) {
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
		return err
	})
	if errors.Is(err, storage.ErrNotFound) && operators {
		return s.operatorsInbox(ctx)
	}
	return inbox, coded(err, "Mailbox")
}

// inboxAddress is the inbox that an address means: sub-addresses (user+detail, RFC 5233) belong to the user, and a domain
// in another script is its ASCII form (RFC 5891).
func inboxAddress(address string) string {
	address = mail.CanonicalAddress(address)
	local, domain, ok := mail.SplitAddress(address)
	if !ok {
		return address
	}
	if i := strings.IndexByte(local, '+'); i > 0 {
		local = local[:i]
	}
	if ascii, err := idna.Lookup.ToASCII(domain); err == nil {
		domain = ascii
	}
	return local + "@" + domain
}

// Deliver puts a message into the inboxes of all its recipients, in one transaction, synced. Recipients are those that
// Recipient accepted. Codes: too_large, invalid, unavailable, not_found (an inbox went away meanwhile). Once the
// sender knows, the door calls Heard with the context's trace id.
func (s *Server) Deliver(ctx context.Context, in Incoming) error {
	ctx = s.traced(ctx)
	inboxes, err := s.distinctInboxes(ctx, in)
	if err != nil {
		return err
	}
	c, err := s.stage(ctx, podsOf(inboxes), parse.WithoutResults(in.Body, s.hostname))
	if err != nil {
		return err
	}
	defer s.discard(c)
	r := received{reversePath: in.ReversePath, recipients: in.Recipients, at: s.clock.Now(), unchecked: "The peer is trusted: nothing was looked up."}
	if in.Authenticate != nil {
		a := in.Authenticate()
		r.authentication = &a
	}
	r.trace = s.trace(ctx, in, r)
	p, err := s.parsed(ctx, c, r.trace)
	if err != nil {
		return err
	}
	if p.Received > maxReceived {
		return mail.Errorf(mail.CodeInvalid, "The message has passed through too many hosts: it loops.")
	}
	if in.Filter != nil {
		found := in.Filter()
		r.filter = &found
	}
	if in.Scan != nil {
		found := in.Scan()
		if err := s.infected(ctx, found); err != nil {
			return err
		}
		r.scan = &found
	}
	if err := s.greylist(ctx, inboxes, p, r); err != nil {
		return err
	}
	if id := mail.TraceID(ctx); in.Session.Remote.IsValid() {
		r.unheard = s.unheard.has
		s.unheard.add(id, r.at)
	}
	err = s.deliverTo(ctx, inboxes, p, c, r, nil)
	s.countDMARC(&r, inboxes, err)
	if err != nil {
		s.Heard(mail.TraceID(ctx)) // there is nothing that could be there twice
	}
	return err
}

// received is what is known of a message that comes in beside its bytes.
type received struct {
	reversePath    string
	recipients     []string // envelope
	trace          []byte   // header fields of ours, on top
	at             time.Time
	authentication *mail.Authentication      // nil: nothing was looked up
	unchecked      string                    // why
	filter         *mail.FilterResult        // nil: rspamd was not asked
	scan           *mail.ScanResult          // nil: no scanner was asked
	unheard        func(traceID string) bool // of a message that may come again; nil: it does not
}

// deliverTo files a received message in inboxes, with their events, in one transaction; also, if it is not nil, runs
// in it too.
func (s *Server) deliverTo(ctx context.Context, to []mail.Inbox, p *mail.Parsed, c *content, r received, also func(storage.SystemTx) error) error {
	inboxes, reports, err := s.takeReports(ctx, to, p, c, r)
	if err != nil {
		return err
	}
	told, err := s.readReport(ctx, p, c, r)
	if err != nil {
		return err
	}
	filings := make([]*filing, len(inboxes))
	intakes := make([]mail.Intake, len(inboxes))
	for i := range inboxes {
		if filings[i], intakes[i], err = s.newReceived(ctx, &inboxes[i], p, c, r); err != nil {
			return err
		}
	}
	err = s.store.System().Write(ctx, func(sys storage.SystemTx) error {
		for i, f := range filings {
			tx := sys.For(inboxes[i].Scope())
			if err := s.fileReceived(tx, f, told, r.at); err != nil {
				return err
			}
			if f.arrived { // nothing happened
				continue
			}
			event := mail.Event{Type: mail.EventOf(intakes[i].Placement), Message: f.message.ID, MessageID: f.message.MessageID, CreatedAt: r.at}
			if err := tx.InsertEvent(event); err != nil {
				return err
			}
		}
		if err := keepReports(sys, reports); err != nil {
			return err
		}
		if also != nil {
			return also(sys)
		}
		return nil
	})
	if err != nil {
		return coded(err, "Mailbox")
	}
	for i, f := range filings {
		s.hub.Wake(inboxes[i].Scope())
		if f.arrived {
			s.log.Info("arrived before", "trace", mail.TraceID(ctx), "inbox", inboxes[i].Address, "message_id", f.message.MessageID)
			continue
		}
		s.log.Info("delivered", "trace", mail.TraceID(ctx), "inbox", inboxes[i].Address, "message_id", f.message.MessageID, "placement", intakes[i].Placement, "reason", intakes[i].Reason, "size", f.message.Size)
	}
	poke(s.index)
	return nil
}

// newReceived prepares a received message for an inbox, where it is to go.
func (s *Server) newReceived(ctx context.Context, inbox *mail.Inbox, p *mail.Parsed, c *content, r received) (*filing, mail.Intake, error) {
	m := mail.Message{Labels: []string{mail.LabelReceived, mail.LabelUnread}, Timestamp: r.at, InternalDate: r.at, TraceID: mail.TraceID(ctx)}
	in, err := s.place(ctx, inbox, p, c, r)
	if err != nil {
		return nil, in, err
	}
	mailbox := mail.LabelReceived
	if in.Placement != mail.LabelReceived {
		m.Labels, _, _ = mail.ApplyLabels(m.Labels, []string{in.Placement}, nil)
		mailbox = mail.LabelSpam
	}
	if p.Auto {
		m.Labels, _, _ = mail.ApplyLabels(m.Labels, []string{mail.LabelAutomatic}, nil)
	}
	trace := r.trace
	if in.Spam != nil { // one more field on top, so that everything stands elsewhere
		trace = append(bytes.Clone(trace), compose.SpamScore(in.Spam)...)
		if p, err = s.parsed(ctx, c, trace); err != nil {
			return nil, in, err
		}
	}
	f, err := s.newFiling(m, p, c, trace, &in, mailbox)
	if err == nil {
		f.unheard = r.unheard
	}
	return f, in, err
}

// fileReceived files a message; one that is a report on a message of the inbox in that one's thread, with what it tells.
func (s *Server) fileReceived(tx storage.Tx, f *filing, told *report, now time.Time) error {
	if told == nil {
		return f.file(tx)
	}
	found, err := told.find(tx, s)
	if err != nil {
		return err
	}
	f.forced = found.message.Thread
	if err := f.file(tx); err != nil || f.arrived || len(found.deliveries) == 0 {
		return err
	}
	return s.note(tx, told, &found, now)
}

// distinctInboxes are the inboxes of a message's recipients; one that is named twice gets the message once.
func (s *Server) distinctInboxes(ctx context.Context, in Incoming) (inboxes []mail.Inbox, err error) {
	for _, r := range in.Recipients[len(in.Inboxes):] {
		inbox, err := s.Recipient(ctx, r)
		if err != nil {
			return nil, err
		}
		in.Inboxes = append(in.Inboxes, inbox)
	}
	seen := map[string]bool{}
	for _, i := range in.Inboxes {
		if !seen[i.Address] {
			seen[i.Address] = true
			inboxes = append(inboxes, i)
		}
	}
	return inboxes, nil
}

func podsOf(inboxes []mail.Inbox) (pods []int64) {
	seen := map[int64]bool{}
	for _, i := range inboxes {
		if !seen[i.Pod] {
			seen[i.Pod] = true
			pods = append(pods, i.Pod)
		}
	}
	return pods
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
