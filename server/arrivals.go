package server

import (
	"bytes"
	"context"
	"slices"
	"time"

	"podmail/mail"
	"podmail/mail/compose"
	"podmail/mail/dsn"
	"podmail/storage"
)

// received is what is known of a message that comes in beside its bytes.
type received struct {
	reversePath    string
	vouched        mail.Voucher // for the reverse-path
	ours           bool         // it tells of mail that was handed on, and is not handed on itself
	recipients     []string     // envelope
	toRoles        bool         // to the roles that nobody is refused by
	handling       mail.Handling
	trace          []byte // header fields of ours, on top
	at             time.Time
	authentication *mail.Authentication      // nil: nothing was looked up
	unchecked      string                    // why
	filter         *mail.FilterResult        // nil: rspamd was not asked
	scan           *mail.ScanResult          // nil: no scanner was asked
	unheard        func(traceID string) bool // of a message that may come again; nil: it does not
	passages       []string                  // ids under which it was here before
}

// addressee is an inbox that a message comes to.
type addressee struct {
	mail.Inbox
	names []name // under which the envelope has it
}

// name is a recipient of an envelope.
type name struct {
	address string
	mail.Reporting
}

// arrival is a received message on its way into inboxes: all about it is worked out, and nothing is stored. What it holds
// must be discarded.
type arrival struct {
	received
	content   *content
	messageID string // its own
	traceID   string
	landings  []landing
	returns   []addressee    // to which it is a bounce of what they handed on
	reports   []domainReport // that it is, on domains
	told      *report        // that it is, on a message which went out
}

// landing is where an arrival goes in one inbox.
type landing struct {
	to       addressee
	filing   *filing
	intake   mail.Intake
	forwards *forwards // nil: it is not handed on
	notices  []*notice // to its sender
}

// action is what a notification says of an arrival at one address. Empty: nothing.
func (a *arrival) action() dsn.Action {
	if len(a.landings) == 0 {
		return dsn.Delivered
	}
	return a.landings[0].forwards.action()
}

// newArrival works out where a message goes, which p and c hold.
func (s *Server) newArrival(ctx context.Context, to []addressee, p *mail.Parsed, c *content, r received) (a *arrival, err error) {
	a = &arrival{received: r, content: c, messageID: p.Envelope.MessageID, traceID: mail.TraceID(ctx)}
	to = slices.DeleteFunc(to, func(t addressee) bool {
		if t.ReturnsTo != "" {
			a.returns = append(a.returns, t)
		}
		return t.ReturnsTo != ""
	})
	if to, a.reports, err = s.takeReports(ctx, to, p, c, r); err != nil {
		return nil, err
	}
	if a.told, err = s.readReport(ctx, p, c, r); err != nil {
		return nil, err
	}
	for _, inbox := range to {
		l := landing{to: inbox}
		if err := s.newReceived(ctx, &l, p, c, r); err != nil {
			return nil, err
		}
		a.landings = append(a.landings, l)
	}
	return a, nil
}

// newReceived prepares a received message for an inbox, where it is to go.
func (s *Server) newReceived(ctx context.Context, l *landing, p *mail.Parsed, c *content, r received) (err error) {
	m := mail.Message{Labels: []string{mail.LabelReceived, mail.LabelUnread}, Timestamp: r.at, InternalDate: r.at, TraceID: mail.TraceID(ctx)}
	if l.intake, err = s.place(ctx, &l.to.Inbox, p, c, r); err != nil {
		return err
	}
	if err := s.planForwards(ctx, l, p, r); err != nil {
		return err
	}
	in := &l.intake
	mailbox := mail.LabelReceived
	if in.Placement != mail.LabelReceived {
		m.Labels, _, _ = mail.ApplyLabels(m.Labels, []string{in.Placement}, nil)
		mailbox = mail.LabelSpam
	} else if l.forwards != nil && !l.forwards.keepCopy {
		m.Labels, _, _ = mail.ApplyLabels(m.Labels, []string{mail.LabelTrash}, nil)
		mailbox = mail.LabelTrash
	}
	if p.Auto || r.reversePath == "" { // RFC 3834 2: nobody is there to hear an answer
		m.Labels, _, _ = mail.ApplyLabels(m.Labels, []string{mail.LabelAutomatic}, nil)
	}
	trace := r.trace
	if in.Spam != nil { // one more field on top, so that everything stands elsewhere
		trace = append(bytes.Clone(trace), compose.SpamScore(in.Spam)...)
		if p, err = s.parsed(ctx, c, trace); err != nil {
			return err
		}
	}
	if l.filing, err = s.newFiling(m, p, c, trace, in, mailbox); err == nil {
		l.filing.unheard, l.filing.passages, l.filing.familiar = r.unheard, r.passages, r.unheard != nil && names(&p.Envelope, l.to.Address)
	}
	return err
}

// fileArrival files an arrival in its inboxes, with its events, in one transaction; also, if it is not nil, runs in it
// too.
func (s *Server) fileArrival(ctx context.Context, a *arrival, also func(storage.SystemTx) error) error {
	err := s.store.System().Write(ctx, func(sys storage.SystemTx) error {
		for i := range a.landings {
			if err := s.land(sys, a, &a.landings[i]); err != nil {
				return err
			}
		}
		for i := range a.returns {
			if err := s.handBack(sys, &a.returns[i], a); err != nil {
				return err
			}
		}
		if err := keepReports(sys, a.reports); err != nil {
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
	for i := range a.landings {
		l := &a.landings[i]
		m := &l.filing.message.Message
		s.hub.Wake(l.to.Scope())
		if l.filing.arrived {
			s.log.Info("arrived before", "trace", mail.TraceID(ctx), "inbox", l.to.Address, "message_id", m.MessageID)
			continue
		}
		s.counters.takenIn(&l.intake)
		s.log.Info("delivered", "trace", mail.TraceID(ctx), "inbox", l.to.Address, "message_id", m.MessageID, "placement", l.intake.Placement, "reason", l.intake.Reason, "forwarding", l.intake.Forwarding, "size", m.Size)
	}
	for i := range a.returns {
		s.log.Info("handed back", "trace", a.traceID, "message_id", a.messageID, "bounced_to", a.returns[i].Address, "recipient", a.returns[i].ReturnsTo)
	}
	poke(s.index)
	poke(s.queue)
	poke(s.outbound)
	return nil
}

// land files an arrival in an inbox, and queues it to whom that hands it on.
func (s *Server) land(sys storage.SystemTx, a *arrival, l *landing) error {
	tx := sys.For(l.to.Scope())
	if err := s.fileReceived(tx, l.filing, a.told, a.at); err != nil || l.filing.arrived { // then nothing happened
		return err
	}
	m := &l.filing.message.Message
	aside := l.forwards != nil && !l.forwards.keepCopy // told of if it comes into the inbox
	if l.forwards != nil {
		done, err := s.queueForwards(sys, l, a)
		if err == nil && !done && aside {
			err = s.keep(tx, m.ID, a.at)
		}
		if err != nil {
			return err
		}
	}
	if !aside && !l.filing.returned {
		if err := tx.InsertEvent(mail.Event{Type: mail.EventOf(l.intake.Placement), Message: m.ID, MessageID: m.MessageID, CreatedAt: a.at}); err != nil {
			return err
		}
	}
	return fileNotices(tx, l.notices)
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

// addressees are the inboxes of a message's recipients; one that is named twice gets the message once.
func (s *Server) addressees(ctx context.Context, in Incoming) (to []addressee, err error) {
	at := map[string]int{}
	for i, address := range in.Recipients {
		var inbox mail.Inbox
		if i < len(in.Inboxes) {
			inbox = in.Inboxes[i]
		} else if inbox, err = s.Recipient(ctx, in.ReversePath, address); err != nil {
			return nil, err
		}
		n := name{address: address}
		if i < len(in.Reporting) {
			n.Reporting = in.Reporting[i]
		}
		if there, ok := at[inbox.Address]; ok {
			to[there].names = append(to[there].names, n)
			continue
		}
		at[inbox.Address] = len(to)
		to = append(to, addressee{inbox, []name{n}})
	}
	return to, nil
}

func inboxesOf(to []addressee) (inboxes []mail.Inbox) {
	for _, a := range to {
		inboxes = append(inboxes, a.Inbox)
	}
	return inboxes
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
