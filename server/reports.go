package server

import (
	"context"
	"crypto/hmac"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"podmail/mail"
	"podmail/mail/arf"
	"podmail/mail/dsn"
	"podmail/storage"
)

// report is what a message that comes in tells of one that went out: a delivery status notification or a complaint.
type report struct {
	notice    *dsn.Report
	complaint *arf.Report
	about     []string // message ids that it may be about, the likeliest first
	to        []string // envelope recipients
	doubt     string   // why it is not believed to come from whom it names
}

// maxAbout is how many message ids a report is looked up by.
const maxAbout = 10

// readReport reads the report that a message is; nil if it is none. Notifications come from the null reverse-path (RFC
// 3464 2), or from the mail system's own address where that rule is not known.
func (s *Server) readReport(ctx context.Context, p *mail.Parsed, c *content, r received) (*report, error) {
	complaint := p.Structure != nil && slices.ContainsFunc(p.Structure.Children, func(c *mail.Part) bool { return c.MediaType() == "message/feedback-report" })
	if !complaint && !fromMailSystem(r.reversePath) { // as nearly all mail is
		return nil, nil
	}
	bytes := s.whole(ctx, c, r.trace)
	out := &report{to: r.recipients}
	var err error
	if out.complaint, err = arf.Read(p, bytes); err != nil {
		return nil, fmt.Errorf("read a complaint: %w", err)
	}
	if out.complaint == nil && fromMailSystem(r.reversePath) {
		if out.notice, err = dsn.Read(p, bytes); err != nil {
			return nil, fmt.Errorf("read a notification: %w", err)
		}
	}
	out.doubt = s.disbelieved(r.authentication)
	switch {
	case out.complaint != nil:
		out.about = append(out.about, out.complaint.MessageID)
	case out.notice != nil:
		out.about = append(out.about, out.notice.MessageID)
	default:
		return nil, nil
	}
	out.about = append(out.about, p.Envelope.Ancestors()...)
	out.about = out.about[:min(len(out.about), maxAbout)]
	return out, nil
}

// disbelieved says why a report is not believed to come from whom it names: its domain disowns it, whatever that asks to
// be done, and no trusted sealer vouches for it. Empty: nothing speaks against it, or nothing is known.
func (s *Server) disbelieved(a *mail.Authentication) string {
	switch {
	case a == nil:
	case a.DMARC.Result == mail.AuthFail && s.vouches(a) == "":
		return "DMARC fails for " + a.DMARC.From
	case a.DMARC.NoAuthor():
		return a.DMARC.Reason
	case a.DMARC.Result == mail.AuthNone && spfDisowns(a):
		return "SPF of " + a.SPF.Domain + " fails"
	}
	return ""
}

// fromMailSystem tells whether a reverse-path is one that notifications come from.
func fromMailSystem(reversePath string) bool {
	local, _, _ := mail.SplitAddress(mail.CanonicalAddress(reversePath))
	return reversePath == "" || reversePath == "#@[]" || local == "mailer-daemon" || local == "postmaster"
}

// whole reads trace and content at any place.
func (s *Server) whole(ctx context.Context, c *content, trace []byte) io.ReaderAt {
	for pod, blob := range c.staged {
		return s.store.For(mail.Scope{Pod: pod}).Reader(ctx, storage.RawMessage{Blob: blob, Trace: trace, Size: int64(len(trace)) + c.size})
	}
	return strings.NewReader(string(trace) + string(c.inline))
}

// reported is a message of an inbox that a report is about.
type reported struct {
	message    mail.Message
	deliveries []mail.Delivery // that the report may speak for
	sure       bool            // nobody but the recipient and his hosts can have made the report up
}

// find finds what the report is about among what the handle's inbox sent: a report that is addressed to one inbox tells
// nothing of any other. The zero reported says that there is nothing, or nothing that is to be believed.
func (r *report) find(tx storage.Tx, s *Server) (reported, error) {
	found, err := r.findByPath(tx, s)
	if err != nil || len(found.deliveries) > 0 {
		return found, err
	}
	if found, err = r.findByName(tx, s); err != nil || len(found.deliveries) == 0 || r.doubt == "" {
		return found, err
	}
	s.log.Warn("a report changes nothing, since anybody may have written it", "message_id", found.message.MessageID, "reason", r.doubt)
	return reported{}, nil
}

// findByPath finds it by the path under which it left, which only the hosts of one destination were told. Each of several
// recipients there has seen it too.
func (r *report) findByPath(tx storage.Tx, s *Server) (reported, error) {
	for _, to := range r.to {
		id, mac, ok := readBouncePath(to)
		if !ok {
			continue
		}
		m, err := tx.FindMessageByID(id)
		if errors.Is(err, storage.ErrNotFound) {
			continue
		}
		found, err := sentTo(tx, m, err)
		found.deliveries = slices.DeleteFunc(found.deliveries, func(d mail.Delivery) bool { return !hmac.Equal([]byte(mac), []byte(s.bounceMAC(&d))) })
		if found.sure = len(found.deliveries) == 1; err != nil || len(found.deliveries) > 0 {
			return found, err
		}
	}
	return reported{}, nil
}

// findByName finds it by its Message-ID or its envelope id. A notification that comes so of what left under a path of its
// own was perhaps made up by somebody who has read the message elsewhere.
func (r *report) findByName(tx storage.Tx, s *Server) (found reported, err error) {
	if found, err = r.findByMessageID(tx); err == nil && len(found.deliveries) == 0 {
		found, err = r.findByEnvelopeID(tx)
	}
	if err != nil || !found.sure || r.notice == nil {
		return found, err
	}
	found.sure, err = s.leavesPlain(tx, &found.deliveries[0])
	return found, err
}

func (r *report) findByMessageID(tx storage.Tx) (reported, error) {
	for _, id := range r.about {
		m, err := tx.FindMessage(id)
		if errors.Is(err, storage.ErrNotFound) {
			continue
		}
		found, err := sentTo(tx, m, err)
		if err != nil || len(found.deliveries) > 0 {
			return found, err
		}
	}
	return reported{}, nil
}

// findByEnvelopeID finds the message that was sent under the ENVID which the report gives back.
func (r *report) findByEnvelopeID(tx storage.Tx) (reported, error) {
	id := ""
	if r.notice != nil {
		id = r.notice.EnvelopeID
	} else if r.complaint != nil {
		id = r.complaint.EnvelopeID
	}
	if id == "" {
		return reported{}, nil
	}
	message, err := tx.FindSentAs(id)
	if errors.Is(err, storage.ErrNotFound) {
		return reported{}, nil
	} else if err != nil {
		return reported{}, err
	}
	m, err := tx.FindMessageByID(message)
	return sentTo(tx, m, err)
}

// sentTo is whom a message was sent to. Who got it knows its Message-ID, and the others it went to: only of a message with
// one recipient can a report be told from one that another recipient made up.
func sentTo(tx storage.Tx, m mail.Message, err error) (reported, error) {
	if err != nil || !slices.Contains(m.Labels, mail.LabelSent) {
		return reported{}, err
	}
	ds, err := tx.ListDeliveries(m.ID)
	return reported{m, ds, len(ds) == 1}, err
}

// delivery is the one that a report means by an address; nil if none. A forwarder's report names an address that we never
// wrote to, which is no riddle when there is one recipient only.
func (r *reported) delivery(names func(address string) bool, only bool) *mail.Delivery {
	for i := range r.deliveries {
		if names(r.deliveries[i].Recipient) {
			return &r.deliveries[i]
		}
	}
	if only && len(r.deliveries) == 1 {
		return &r.deliveries[0]
	}
	return nil
}

// note turns what a report tells into outcomes, in the transaction in which the report is filed.
func (s *Server) note(tx storage.Tx, r *report, found *reported, now time.Time) error {
	if r.complaint != nil {
		return s.noteComplaint(tx, r.complaint, found, now)
	}
	for _, to := range r.notice.Recipients {
		d := found.delivery(to.Names, len(r.notice.Recipients) == 1)
		if d == nil || d.State != mail.DeliveryDelivered { // what waits with us is ours to tell of, and what has failed has
			continue
		}
		var err error
		switch to.Action {
		case dsn.Failed:
			err = s.cameBack(tx, d, outcome{state: mail.DeliveryBounced, reply: to.Diagnostic, status: to.Status}, found.sure, now)
		case dsn.Delayed:
			err = s.relabelSent(tx, d.Message, []string{mail.LabelDelayed}, nil, now)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// cameBack notes that a message which a host had taken bounced after all.
func (s *Server) cameBack(tx storage.Tx, d *mail.Delivery, o outcome, sure bool, now time.Time) error {
	d.State, d.LastReply, d.UpdatedAt = o.state, o.reply, now
	if err := tx.UpdateDelivery(*d); err != nil {
		return err
	}
	label, event := o.event(d, now)
	if err := tx.InsertEvent(event); err != nil {
		return err
	}
	m, err := tx.FindToEdit(d.Message)
	if err != nil {
		return err
	}
	remove, err := notDelayedAnyMore(tx, &m)
	if err != nil {
		return err
	}
	deliveries, err := tx.ListDeliveries(d.Message)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(deliveries, func(d mail.Delivery) bool { return d.State == mail.DeliveryDelivered }) {
		remove = append(remove, mail.LabelDelivered)
	}
	if err := s.relabelFound(tx, &m, []string{label}, remove, now); err != nil || !sure {
		return err
	}
	return s.suppressBounced(tx, d, o, now)
}

// noteComplaint notes that a recipient called a message unwanted. Many reports do not say which one did.
func (s *Server) noteComplaint(tx storage.Tx, c *arf.Report, found *reported, now time.Time) error {
	if !c.Complaint() {
		return nil
	}
	var who []*mail.Delivery
	for _, address := range c.Recipients {
		d := found.delivery(func(to string) bool { return strings.EqualFold(to, address) }, false)
		if d != nil && !slices.Contains(who, d) {
			who = append(who, d)
		}
	}
	if d := found.delivery(func(string) bool { return false }, true); d != nil && len(who) == 0 {
		who = append(who, d)
	}
	recipients := []string{}
	for _, d := range who {
		if d.State != mail.DeliveryDelivered { // he has complained already, or never got it
			continue
		}
		d.State, d.UpdatedAt = mail.DeliveryComplained, now
		if err := tx.UpdateDelivery(*d); err != nil {
			return err
		}
		recipients = append(recipients, d.Recipient)
		if found.sure {
			if err := s.suppress(tx, d.Recipient, "complaint: "+c.FeedbackType, time.Time{}, now); err != nil {
				return err
			}
		}
	}
	if len(recipients) == 0 && (len(who) > 0 || slices.Contains(found.message.Labels, mail.LabelComplained)) {
		return nil
	}
	if err := s.relabelSent(tx, found.message.ID, []string{mail.LabelComplained}, nil, now); err != nil {
		return err
	}
	return tx.InsertEvent(mail.Event{Type: mail.EventComplained, Message: found.message.ID, MessageID: found.message.MessageID, CreatedAt: now,
		Details: map[string]any{"type": c.FeedbackType, "sub_type": dsn.General, "recipients": recipients}})
}
