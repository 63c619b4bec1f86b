package server

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"podmail/mail"
	"podmail/storage"
)

// This file tells, in one place, what becomes of a message that comes in. In this order:
//
//  0. A virus scanner, if the operator has one. What it takes for a virus is refused, whoever sent it; while it does not
//     answer everything is put off. What is too large for it is taken.
//  1. The allow and block lists of the inbox, its pod and the organization. What they block is kept, labelled blocked.
//  2. Greylisting, if the operator turned it on (greylist.go). Strangers are told to come again.
//  3. DNS block lists that the operator named. Whom they list is refused, unless an allow list names the sender.
//  4. Authentication. What its alleged domain disowns is kept, labelled unauthenticated, or refused if the operator says so.
//  5. rspamd, if the operator has it. It has mail refused, put off or labelled spam; not that of senders on allow lists.
//  6. The pod's spam filter, once it was taught enough; not asked about senders that an allow list names. What it takes for
//     spam is kept, labelled so.
//
// Mail to postmaster and abuse alone is refused for viruses only (RFC 5321 4.5.1): what else would refuse it labels it.
//
// Whatever is not refused before the 250 is kept where somebody can see it. Reports on domains, which go to no inbox, are
// refused where other mail would be set aside (mayReport, domain_reports.go).

// IntakeRules are the operator's choices.
type IntakeRules struct {
	RefuseUnauthenticated bool     // instead of keeping it with a label
	Greylist              bool     // whether strangers are asked to come again
	GreylistSize          int      // how many are remembered at most; 0: half a million
	DMARCReports          bool     // whether domains that ask for it are told once a day what came in of them
	TrustedSealers        []string // domains whose ARC seals vouch for what they found before they changed a message
}

// place decides where a message goes in an inbox, and says why. An error refuses it, for everybody.
func (s *Server) place(ctx context.Context, inbox *mail.Inbox, p *mail.Parsed, c *content, r received) (mail.Intake, error) {
	in := mail.Intake{Placement: mail.LabelReceived, Cause: mail.ByNothing, Authentication: r.authentication, Scan: r.scan, Filter: r.filter, Reason: r.unchecked}
	v, err := s.judgeSender(ctx, inbox.Scope(), &p.Envelope, r.reversePath)
	if err != nil {
		return in, coded(err, "Mailbox")
	}
	if v.Blocked {
		in.Placement, in.Cause, in.Reason = mail.LabelBlocked, mail.ByLists, "The lists of the inbox, its pod or the organization block the sender."
		return in, nil
	}
	listed := v.Entry != nil // by name, as one to be let through
	if listed {
		in.Cause = mail.ByLists
	}
	if a := r.authentication; a != nil {
		if err := listedAt(a); err != nil && !listed {
			if !r.toRoles {
				return in, s.counters.turnedAway(mail.ByDNSLists, err)
			}
			in.Placement, in.Cause, in.Reason = mail.LabelSpam, mail.ByDNSLists, err.Message
			return in, nil
		}
		d := s.doubt(a)
		if in.Reason = d.reason; d.refusal != nil && s.rules.RefuseUnauthenticated && !r.toRoles {
			return in, s.counters.turnedAway(d.by, d.refusal)
		}
		if d.disowned {
			in.Placement, in.Cause = mail.LabelUnauthenticated, d.by
			return in, nil
		}
	}
	if listed {
		return in, nil
	}
	if in.Filter != nil {
		spam, err := s.heed(ctx, in.Filter)
		if err != nil && r.toRoles {
			spam = mail.CodeOf(err) == mail.CodeForbidden
		} else if err != nil {
			return in, s.counters.turnedAway(mail.ByRspamd, err)
		}
		if spam {
			in.Placement, in.Cause, in.Reason = mail.LabelSpam, mail.ByRspamd, fmt.Sprintf("rspamd gives it %.1f of %.1f and asks to %s.", in.Filter.Score, in.Filter.Required, in.Filter.Action)
			return in, nil
		}
	}
	if in.Spam, err = s.scoreSpam(ctx, inbox.Pod, &p.Envelope, c); err != nil {
		return in, coded(err, "Mailbox")
	}
	if in.Spam != nil && in.Spam.Score >= in.Spam.Threshold {
		in.Placement, in.Cause, in.Reason = mail.LabelSpam, mail.BySpamScore, whySpam(in.Spam)
	}
	return in, nil
}

// listedAt refuses whom a DNS block list has.
func listedAt(a *mail.Authentication) *mail.Error {
	if len(a.BlockLists) == 0 {
		return nil
	}
	return mail.Errorf(mail.CodeForbidden, "%s is listed at %s. %s", a.Remote, a.BlockLists[0].Zone, a.BlockLists[0].Reason)
}

// heed follows rspamd: it refuses, puts off, or tells that the message is spam. Without its answer mail is taken: what
// it would have found is seen by the pod's own filter, or by people.
func (s *Server) heed(ctx context.Context, found *mail.FilterResult) (spam bool, err error) {
	switch found.Action {
	case "reject":
		return false, mail.Errorf(mail.CodeForbidden, "The message is taken for spam.")
	case "soft reject", "greylist":
		return false, mail.Errorf(mail.CodeRateLimited, "Try again later.")
	case "add header", "rewrite subject", "quarantine":
		return true, nil
	case "":
		s.log.Warn("rspamd did not answer, and a message was taken without it", "trace", mail.TraceID(ctx), "error", found.Failure)
	}
	return false, nil
}

// infected refuses what a virus scanner found, and puts off what it could not look at.
func (s *Server) infected(ctx context.Context, found mail.ScanResult) error {
	switch found.Verdict {
	case mail.ScanInfected:
		return mail.Errorf(mail.CodeForbidden, "The message holds a virus: %s.", found.Name)
	case mail.ScanFailed:
		return mail.Errorf(mail.CodeUnavailable, "The virus scanner does not answer: %s", found.Reason)
	case mail.ScanTooLarge:
		s.log.Warn("a message is too large for the virus scanner and was taken without it", "trace", mail.TraceID(ctx))
	}
	return nil
}

// doubts are what follows from authentication.
type doubts struct {
	disowned bool             // the domain that it claims to come from says that it does not
	by       mail.IntakeCause // what says so, or asks for the refusal
	reason   string           // for people, of whatever follows
	refusal  error            // where refusing is right: the domain asks for it, or nothing can be said yet
}

// doubt weighs what was found out about a sender. A domain's DMARC policy decides, whatever it is; without one, SPF's
// fail counts, unless a signature of the domain holds (RFC 7489 6.7, RFC 7208 8.4). Where no domain can be asked, since
// it cannot be told whose the message is, it counts as disowned (RFC 7489 6.6.1).
func (s *Server) doubt(a *mail.Authentication) doubts {
	d := &a.DMARC
	switch {
	case d.Result == mail.AuthPass:
		return doubts{reason: "DMARC passes: the message comes from " + d.From + "."}
	case d.Result == mail.AuthFail && d.Asks() != mail.PolicyNone:
		if sealer := s.vouches(a); sealer != "" {
			return doubts{reason: fmt.Sprintf("DMARC fails for %s, but passed at %s, whose seal holds and is trusted.", d.From, sealer)}
		}
		out := doubts{disowned: true, by: mail.ByDMARC, reason: fmt.Sprintf("DMARC fails: %s asks to %s mail that it did not send.", d.Domain, d.Asks())}
		if d.Asks() == mail.PolicyReject {
			out.refusal = mail.Errorf(mail.CodeForbidden, "Mail from %s must pass DMARC, and this does not.", d.From).WithReason(mail.ReasonUnauthenticatedMessage)
		}
		return out
	case d.Result == mail.AuthFail:
		return doubts{reason: fmt.Sprintf("DMARC fails, but %s asks for nothing to be done.", d.Domain)}
	case d.Result == mail.AuthTempError:
		return doubts{by: mail.ByDMARC, reason: "DMARC could not be looked up: " + d.Reason + ".", refusal: mail.Errorf(mail.CodeUnavailable, "DMARC of %s could not be looked up.", d.From).
			WithReason(mail.ReasonAuthenticationFailed)}
	case d.NoAuthor():
		return doubts{disowned: true, by: mail.ByNoAuthor, reason: "Nobody can be asked whether it is theirs: " + d.Reason + ".",
			refusal: mail.Errorf(mail.CodeForbidden, "A message says in one From field whose it is (RFC 5322 3.6), and here %s.", d.Reason).WithReason(mail.ReasonUnauthenticatedMessage)}
	case spfDisowns(a):
		refusal := mail.Errorf(mail.CodeForbidden, "SPF: %s may not send for %s.", a.Remote, a.SPF.Domain).WithReason(mail.ReasonSPFFailed)
		if a.SPF.Explanation != "" {
			refusal.Message += fmt.Sprintf(" It explains: %s", a.SPF.Explanation)
		}
		return doubts{disowned: true, by: mail.BySPF, reason: fmt.Sprintf("SPF fails: %s does not let %s send, and no signature of it holds.", a.SPF.Domain, a.Remote), refusal: refusal}
	}
	return doubts{reason: "Nothing speaks against it: " + authorOf(a) + " says nothing of DMARC, and SPF is " + string(a.SPF.Result) + "."}
}

// spfDisowns tells whether SPF says that the peer may not send, and no signature of the domain says otherwise.
func spfDisowns(a *mail.Authentication) bool {
	return a.SPF.Result == mail.AuthFail && !a.Signed(a.SPF.Domain) && !(a.DMARC.From != "" && a.Signed(a.DMARC.From))
}

// authorOf is what a message claims to come from.
func authorOf(a *mail.Authentication) string {
	if a.DMARC.From != "" {
		return a.DMARC.From
	}
	return "From"
}

// vouches finds the trusted sealer that saw the message pass DMARC: all whose seals are on the way must be trusted
// (RFC 8617 7.2.1, RFC 7489 6.7).
func (s *Server) vouches(a *mail.Authentication) string {
	trusted := func(sealer string) bool {
		return slices.ContainsFunc(s.rules.TrustedSealers, func(domain string) bool { return mail.IsWithin(sealer, domain) })
	}
	if a.ARC.Result != mail.AuthPass || a.ARC.Origin != string(mail.AuthPass) || len(a.ARC.Sealers) == 0 {
		return ""
	}
	for _, sealer := range a.ARC.Sealers {
		if !trusted(sealer) {
			return ""
		}
	}
	return a.ARC.Sealers[0]
}

// ExplainMessage tells what was found out about a message when it came in, and why it is where it is.
func (s *Server) ExplainMessage(ctx context.Context, g mail.Grant, messageID string) (m mail.Message, in mail.Intake, err error) {
	if err := g.Require(mail.MessageRead); err != nil {
		return m, in, err
	}
	err = s.store.For(g.Scope).Read(ctx, func(tx storage.Tx) (err error) {
		if m, err = findMessage(tx, g, messageID); err != nil {
			return err
		}
		in, err = explain(tx, &m)
		return err
	})
	return m, in, coded(err, "Message")
}

// explain reads how a message came in. Of one that did not it says where it belongs.
func explain(tx storage.Tx, m *mail.Message) (mail.Intake, error) {
	kept, err := tx.FindIntake(m.ID)
	if err != nil {
		return mail.Intake{}, err
	}
	if kept != nil {
		return *kept, nil
	}
	if slices.Contains(m.Labels, mail.LabelReceived) {
		return mail.Intake{Placement: mail.LabelReceived, Reason: "It came in before it was kept what was looked up, or a mail program put it here."}, nil
	}
	return mail.Intake{Placement: mail.LabelSent, Reason: "It did not come in: it was written here."}, nil
}

// Explained is a message and how it came in.
type Explained struct {
	Message  mail.Message
	Intake   mail.Intake
	Forwards []mail.Delivery // by which its inbox hands it on
}

// maxExplained is how many messages of one id the operator is told of.
const maxExplained = 100

// ExplainEverywhere tells the operator about every message that has an id, whatever inbox it is in.
func (s *Server) ExplainEverywhere(ctx context.Context, g mail.Grant, messageID string) (found []Explained, err error) {
	if g.Scope.Type() != mail.ScopeOrganization {
		return nil, mail.NotFound("Message")
	}
	if !strings.HasPrefix(messageID, "<") {
		messageID = "<" + messageID + ">"
	}
	err = s.store.System().Read(ctx, func(sys storage.SystemTx) error {
		places, err := sys.ListNamesakes(messageID, maxExplained)
		if err != nil {
			return err
		}
		for _, place := range places {
			tx := sys.For(place.Scope)
			m, err := tx.FindMessageByID(place.ID)
			if err != nil {
				return err
			}
			in, err := explain(tx, &m)
			if err != nil {
				return err
			}
			ds, err := tx.ListDeliveries(m.ID)
			if err != nil {
				return err
			}
			found = append(found, Explained{m, in, slices.DeleteFunc(ds, func(d mail.Delivery) bool { return !d.Purpose.HandsOn() })})
		}
		return nil
	})
	if err == nil && len(found) == 0 {
		err = mail.NotFound("Message")
	}
	return found, coded(err, "Message")
}
