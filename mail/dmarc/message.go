package dmarc

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"fmt"
	"io"
	"strings"
	"time"

	"podmail/mail"
	"podmail/mail/unpack"
)

// Read finds the report in a message. r are the message's bytes, of which p tells where they are. It is nil if the
// message has none; an error says why one that is there cannot be read.
func Read(p *mail.Parsed, r io.ReaderAt) (*Report, error) {
	text, err := unpack.Find(p, r, holdsReport)
	if text == nil || err != nil {
		return nil, err
	}
	return Unmarshal(text)
}

// holdsReport goes by type and by name.
func holdsReport(a *mail.Attachment) bool {
	switch a.ContentType {
	case "application/gzip", "application/x-gzip", "application/zip", "application/x-zip", "application/x-zip-compressed", "text/xml", "application/xml", "application/dmarc+xml":
		return true
	}
	name := strings.ToLower(a.Filename)
	return strings.HasSuffix(name, ".xml") || strings.HasSuffix(name, ".xml.gz") || strings.HasSuffix(name, ".zip")
}

// Message is a report on its way.
type Message struct {
	Report    *Report
	Submitter string // host or domain that reports
	From, To  string // addresses
	MessageID string // with angle brackets
	Date      time.Time
}

// Filename names the file in which a report travels (RFC 7489 7.2.1.1).
func (m *Message) Filename() string {
	return fmt.Sprintf("%s!%s!%d!%d.xml.gz", m.Submitter, m.Report.Policy.Domain, m.Report.Begin.Unix(), m.Report.End.Unix())
}

// Write writes the message that carries a report (RFC 7489 7.2.1.1).
func Write(out io.Writer, m *Message) error {
	text, err := Marshal(m.Report)
	if err != nil {
		return err
	}
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	if _, err := z.Write(text); err != nil {
		return fmt.Errorf("pack a report: %w", err)
	}
	if err := z.Close(); err != nil {
		return fmt.Errorf("pack a report: %w", err)
	}
	const boundary = "=_dmarc-report"
	var b strings.Builder
	fmt.Fprintf(&b, "Date: %s\r\nFrom: %s\r\nTo: %s\r\n", m.Date.UTC().Format("Mon, 02 Jan 2006 15:04:05 -0700"), m.From, m.To)
	fmt.Fprintf(&b, "Subject: Report Domain: %s\r\n Submitter: %s\r\n Report-ID: <%s>\r\n", m.Report.Policy.Domain, m.Submitter, m.Report.ID)
	fmt.Fprintf(&b, "Message-ID: %s\r\nAuto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n", m.MessageID)
	fmt.Fprintf(&b, "Content-Type: multipart/mixed; boundary=\"%s\"\r\n\r\n--%s\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\n", boundary, boundary)
	fmt.Fprintf(&b, "This is a DMARC aggregate report for %s, from %s\r\nto %s.\r\n", m.Report.Policy.Domain, m.Report.Begin.UTC().Format(time.RFC3339), m.Report.End.UTC().Format(time.RFC3339))
	fmt.Fprintf(&b, "\r\n--%s\r\nContent-Type: application/gzip; name=\"%s\"\r\nContent-Disposition: attachment;\r\n filename=\"%s\"\r\nContent-Transfer-Encoding: base64\r\n\r\n",
		boundary, m.Filename(), m.Filename())
	encoded := base64.StdEncoding.EncodeToString(packed.Bytes())
	for len(encoded) > 76 {
		b.WriteString(encoded[:76] + "\r\n")
		encoded = encoded[76:]
	}
	fmt.Fprintf(&b, "%s\r\n--%s--\r\n", encoded, boundary)
	_, err = io.WriteString(out, b.String())
	return err
}
