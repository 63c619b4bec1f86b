package dsn

import (
	"bytes"
	"fmt"
	"io"
	netmail "net/mail"
	"strings"
	"time"

	"podmail/mail"
	"podmail/mail/parse"
)

// Bounds on what is read of a notification.
const (
	maxStatus     = 256 << 10 // of the part for machines
	maxHeader     = 64 << 10  // of the header that came back
	maxProse      = 64 << 10  // of a bounce for people
	maxRecipients = 1000
	maxDiagnostic = 2000 // bytes
)

// Read reads the notification that a message is. r are the message's bytes, of which p tells where they are. It is nil
// if the message is none; an error is r's.
func Read(p *mail.Parsed, r io.ReaderAt) (*Report, error) {
	status, back := find(p.Structure, 0)
	if status == nil {
		return readProse(p, r)
	}
	text, err := section(r, status, maxStatus)
	if err != nil {
		return nil, err
	}
	d := &Report{}
	d.status(text)
	if len(d.Recipients) == 0 {
		return nil, nil
	}
	if back != nil {
		if err := d.returned(r, back); err != nil {
			return nil, err
		}
	}
	return d, d.explain(p, r)
}

// find looks for the parts of a notification, not within messages that came along: what those say is of another.
func find(p *mail.Part, depth int) (status, back *mail.Part) {
	if p == nil || p.Type != "multipart" || depth > 3 {
		return nil, nil
	}
	for _, c := range p.Children {
		switch c.MediaType() {
		case "message/delivery-status", "message/global-delivery-status":
			if status == nil {
				status = c
			}
		case "message/rfc822", "message/global", "text/rfc822-headers", "text/rfc822-header", "message/global-headers", "message/rfc822-headers":
			if back == nil {
				back = c
			}
		default:
			if s, b := find(c, depth+1); s != nil && status == nil {
				status, back = s, b
			}
		}
	}
	return status, back
}

// section reads the beginning of a part's body, its transfer encoding undone.
func section(r io.ReaderAt, p *mail.Part, limit int64) ([]byte, error) {
	if p.End <= p.Body {
		return nil, nil
	}
	body := parse.Decode(io.NewSectionReader(r, p.Body, p.End-p.Body), p.Encoding)
	b, err := io.ReadAll(io.LimitReader(body, limit))
	if err != nil {
		return nil, fmt.Errorf("read a part: %w", err)
	}
	return b, nil
}

// returned notes what is known of the message that came back.
func (d *Report) returned(r io.ReaderAt, back *mail.Part) error {
	b, err := section(r, back, maxHeader)
	if err != nil {
		return err
	}
	d.Header = headerOf(b)
	d.MessageID = MessageID(d.Header)
	return nil
}

// headerOf cuts a header section off what begins with one.
func headerOf(b []byte) []byte {
	b = bytes.TrimLeft(b, "\r\n")
	end := len(b)
	for _, gap := range []string{"\r\n\r\n", "\n\n", "\n\r\n"} {
		if i := bytes.Index(b[:end], []byte(gap)); i >= 0 {
			end = i + bytes.IndexByte([]byte(gap), '\n') + 1
		}
	}
	return b[:end]
}

// MessageID finds the Message-ID in a header section, with its angle brackets; empty if there is none.
func MessageID(header []byte) string {
	for _, f := range parse.Headers(header) {
		if ids := parse.MessageIDs(f.Value); strings.EqualFold(f.Name, "Message-ID") && len(ids) > 0 {
			return ids[0]
		}
	}
	return ""
}

// status reads the fields for machines (RFC 3464 2): blocks with empty lines between them, the first of the message, the
// others of a recipient each. Some hosts forget the empty line after the first.
func (d *Report) status(text []byte) {
	for _, block := range blocks(text) {
		var to Recipient
		for _, f := range parse.Headers(block) {
			if !d.field(f) {
				to.field(f)
			}
		}
		if (to.Final == "" && to.Original == "") || len(d.Recipients) >= maxRecipients {
			continue
		}
		if to.complete(); to.Action != "" {
			d.Recipients = append(d.Recipients, to)
		}
	}
}

func blocks(text []byte) (list [][]byte) {
	text = bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n"))
	for len(text) > 0 {
		var block []byte
		block, text, _ = bytes.Cut(text, []byte("\n\n"))
		text = bytes.TrimLeft(text, "\n")
		if block = bytes.TrimLeft(block, "\n"); len(block) > 0 {
			list = append(list, append(block[:len(block):len(block)], '\n'))
		}
	}
	return list
}

// field takes a field of the message, and says whether it is one (RFC 3464 2.2).
func (d *Report) field(f parse.Field) bool {
	switch strings.ToLower(f.Name) {
	case "original-envelope-id":
		d.EnvelopeID = f.Value
		if id, ok := FromXtext(f.Value); ok {
			d.EnvelopeID = id
		}
	case "reporting-mta":
		d.ReportingMTA = typed(f.Value)
	case "arrival-date":
		d.ArrivalDate = date(f.Value)
	default:
		return false
	}
	return true
}

// field takes a field of the recipient (RFC 3464 2.3).
func (to *Recipient) field(f parse.Field) {
	switch strings.ToLower(f.Name) {
	case "final-recipient":
		to.Final = address(f.Value)
	case "original-recipient":
		to.Original = address(f.Value)
	case "action":
		word, _, _ := strings.Cut(strings.ToLower(f.Value), " ")
		switch a := Action(strings.Trim(word, "()")); a {
		case Failed, Delayed, Delivered, Relayed, Expanded:
			to.Action = a
		}
	case "status":
		for word := range strings.FieldsSeq(f.Value) {
			if word = strings.Trim(word, "()#"); validStatus(word) {
				to.Status = word
				break
			}
		}
	case "diagnostic-code":
		to.Diagnostic = clip(typed(f.Value))
	case "remote-mta":
		to.RemoteMTA = typed(f.Value)
	case "last-attempt-date":
		to.LastAttempt = date(f.Value)
	case "will-retry-until":
		to.RetryUntil = date(f.Value)
	}
}

// complete works out what was left out.
func (to *Recipient) complete() {
	if to.Final == "" {
		to.Final = to.Original
	}
	if to.Status == "" {
		_, to.Status = codes(to.Diagnostic)
	}
	class := ""
	if to.Status != "" {
		class = to.Status[:1]
	} else if code, _ := codes(to.Diagnostic); code != "" {
		class = code[:1]
	}
	if to.Action == "" {
		to.Action = map[string]Action{"2": Delivered, "4": Delayed, "5": Failed}[class]
	}
}

// typed is the value of a field without its type, such as dns; or smtp;.
func typed(v string) string {
	kind, rest, ok := strings.Cut(v, ";")
	if !ok || strings.ContainsAny(strings.TrimSpace(kind), " \t@<") {
		return strings.TrimSpace(v)
	}
	return strings.TrimSpace(rest)
}

// address is a recipient field's bare address.
func address(v string) string {
	v = typed(v)
	if i, j := strings.IndexByte(v, '<'), strings.LastIndexByte(v, '>'); i >= 0 && j > i {
		v = v[i+1 : j]
	}
	if !strings.Contains(v, "@") { // some leave the xtext on that ORCPT had
		if text, ok := FromXtext(v); ok {
			v = text
		}
	}
	v = fromUnitext(strings.TrimSpace(v))
	if len(v) > 320 || strings.ContainsAny(v, "\r\n\x00") {
		return ""
	}
	return v
}

// date reads a date; the zero time is none.
func date(v string) time.Time {
	t, err := netmail.ParseDate(v)
	if err != nil {
		return time.Time{} // a date that cannot be read is no reason to read nothing
	}
	return t
}

func clip(s string) string {
	if len(s) > maxDiagnostic {
		s = strings.ToValidUTF8(s[:maxDiagnostic], "")
	}
	return s
}
