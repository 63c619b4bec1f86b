// Package arf reads complaints: the reports by which mailbox providers tell senders that a recipient called a message
// spam, or that it failed authentication (RFC 5965, RFC 6591; RFC 6650 says how they are used). What follows from one,
// and whether it may be believed, is server's to decide.
package arf

import (
	"bytes"
	"fmt"
	"io"
	netmail "net/mail"
	"net/netip"
	"strings"
	"time"

	"podmail/mail"
	"podmail/mail/parse"
)

// Report is what a complaint says, of one message.
type Report struct {
	FeedbackType string // abuse, fraud, virus, not-spam, auth-failure, other, or what else was written; lower case
	UserAgent    string
	ReportedBy   string // host that reports (Reporting-MTA)
	Source       netip.Addr
	Sender       string   // reverse-path of the message
	Recipients   []string // who complains, bare; often left out
	EnvelopeID   string
	Arrival      time.Time
	Incidents    string // how often, as written
	MessageID    string // of the message, with angle brackets; empty if it has none
	Header       []byte // of the message, as it came; bounded
}

// Bounds on what is read of a complaint.
const (
	maxFields     = 64 << 10 // the part for machines
	maxHeader     = 64 << 10 // of the message
	maxRecipients = 100
	maxField      = 500 // bytes of a value that is kept
)

// Complaint tells whether the report is of a message that was not wanted, so that its recipient shall get no more.
// Reports of what failed authentication, or that a message was no spam after all, are not.
func (r *Report) Complaint() bool {
	switch r.FeedbackType {
	case "abuse", "fraud", "virus", "opt-out", "opt-out-list", "miscategorized", "other":
		return true
	}
	return false
}

// Read reads the complaint that a message is. r are the message's bytes, of which p tells where they are. It is nil if
// the message is none; an error is r's.
func Read(p *mail.Parsed, r io.ReaderAt) (*Report, error) {
	if p.Structure == nil || p.Structure.Type != "multipart" {
		return nil, nil
	}
	var fields, message *mail.Part
	for _, c := range p.Structure.Children {
		switch c.MediaType() {
		case "message/feedback-report":
			if fields == nil {
				fields = c
			}
		case "message/rfc822", "message/global", "text/rfc822-headers", "text/rfc822-header", "message/global-headers":
			if message == nil {
				message = c
			}
		}
	}
	if fields == nil {
		return nil, nil
	}
	text, err := section(r, fields, maxFields)
	if err != nil {
		return nil, err
	}
	c := &Report{}
	for _, f := range parse.Headers(bytes.TrimLeft(text, "\r\n")) {
		c.field(f)
	}
	if c.FeedbackType == "" {
		return nil, nil
	}
	if message == nil {
		return c, nil
	}
	if c.Header, err = section(r, message, maxHeader); err != nil {
		return nil, err
	}
	c.original()
	return c, nil
}

// section reads the beginning of a part's body, its transfer encoding undone.
func section(r io.ReaderAt, p *mail.Part, limit int64) ([]byte, error) {
	if p.End <= p.Body {
		return nil, nil
	}
	b, err := io.ReadAll(io.LimitReader(parse.Decode(io.NewSectionReader(r, p.Body, p.End-p.Body), p.Encoding), limit))
	if err != nil {
		return nil, fmt.Errorf("read a part: %w", err)
	}
	return b, nil
}

// field takes a field of the part for machines (RFC 5965 3). Values are kept to a bound.
func (r *Report) field(f parse.Field) {
	value := f.Value
	if len(value) > maxField {
		value = strings.ToValidUTF8(value[:maxField], "")
	}
	switch strings.ToLower(f.Name) {
	case "feedback-type":
		r.FeedbackType = strings.ToLower(value)
	case "user-agent":
		r.UserAgent = value
	case "reporting-mta":
		_, host, ok := strings.Cut(value, ";")
		if !ok {
			host = value
		}
		r.ReportedBy = strings.TrimSpace(host)
	case "source-ip":
		if ip, err := netip.ParseAddr(strings.Trim(value, "[]")); err == nil {
			r.Source = ip
		}
	case "original-mail-from":
		r.Sender = bare(value)
	case "original-rcpt-to", "removal-recipient":
		r.recipient(value)
	case "original-envelope-id":
		r.EnvelopeID = value
	case "arrival-date", "received-date":
		if t, err := netmail.ParseDate(value); err == nil {
			r.Arrival = t
		}
	case "incidents":
		r.Incidents = value
	}
}

func (r *Report) recipient(value string) {
	if a := bare(value); strings.Contains(a, "@") && len(r.Recipients) < maxRecipients {
		r.Recipients = append(r.Recipients, a)
	}
}

// bare is an address without brackets.
func bare(value string) string {
	_, inner, ok := strings.Cut(value, "<")
	if !ok {
		return strings.TrimSpace(value)
	}
	inner, _, _ = strings.Cut(inner, ">")
	return strings.TrimSpace(inner)
}

// original notes what is known of the message: Header begins with its bytes.
func (r *Report) original() {
	r.Header = bytes.TrimLeft(r.Header, "\r\n")
	for _, gap := range []string{"\r\n\r\n", "\n\n"} {
		if i := bytes.Index(r.Header, []byte(gap)); i >= 0 {
			r.Header = r.Header[:i+len(gap)/2]
		}
	}
	for _, f := range parse.Headers(r.Header) {
		if ids := parse.MessageIDs(f.Value); strings.EqualFold(f.Name, "Message-ID") && len(ids) > 0 {
			r.MessageID = ids[0]
			return
		}
	}
}
