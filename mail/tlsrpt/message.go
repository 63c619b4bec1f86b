package tlsrpt

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

func holdsReport(a *mail.Attachment) bool {
	name := strings.ToLower(a.Filename)
	return a.ContentType == "application/tlsrpt+gzip" || a.ContentType == "application/tlsrpt+json" || strings.HasSuffix(name, ".json") || strings.HasSuffix(name, ".json.gz")
}

// Message is a report on its way.
type Message struct {
	Report    *Report
	Domain    string // of the policies
	Submitter string // host or domain that reports
	From, To  string // addresses
	MessageID string // with angle brackets
	Date      time.Time
}

// Packed is the report as it travels: JSON in gzip.
func (m *Message) Packed() ([]byte, error) {
	text, err := Marshal(m.Report)
	if err != nil {
		return nil, err
	}
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	if _, err := z.Write(text); err != nil {
		return nil, fmt.Errorf("pack a report: %w", err)
	}
	if err := z.Close(); err != nil {
		return nil, fmt.Errorf("pack a report: %w", err)
	}
	return packed.Bytes(), nil
}

// Filename names the file in which a report travels (RFC 8460 5.1).
func (m *Message) Filename() string {
	return fmt.Sprintf("%s!%s!%d!%d.json.gz", m.Submitter, m.Domain, m.Report.Range.Start.Unix(), m.Report.Range.End.Unix())
}

// Write writes the message that carries a report (RFC 8460 5.3).
func Write(out io.Writer, m *Message) error {
	packed, err := m.Packed()
	if err != nil {
		return err
	}
	const boundary = "=_tls-report"
	var b strings.Builder
	fmt.Fprintf(&b, "Date: %s\r\nFrom: %s\r\nTo: %s\r\n", m.Date.UTC().Format("Mon, 02 Jan 2006 15:04:05 -0700"), m.From, m.To)
	fmt.Fprintf(&b, "Subject: Report Domain: %s\r\n Submitter: %s\r\n Report-ID: <%s>\r\n", m.Domain, m.Submitter, m.Report.ID)
	fmt.Fprintf(&b, "TLS-Report-Domain: %s\r\nTLS-Report-Submitter: %s\r\n", m.Domain, m.Submitter)
	fmt.Fprintf(&b, "Message-ID: %s\r\nAuto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n", m.MessageID)
	fmt.Fprintf(&b, "Content-Type: multipart/report; report-type=\"tlsrpt\"; boundary=\"%s\"\r\n\r\n--%s\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\n", boundary, boundary)
	fmt.Fprintf(&b, "This is a report of TLS connections to the mail hosts of %s.\r\n", m.Domain)
	fmt.Fprintf(&b, "\r\n--%s\r\nContent-Type: application/tlsrpt+gzip\r\nContent-Disposition: attachment;\r\n filename=\"%s\"\r\nContent-Transfer-Encoding: base64\r\n\r\n", boundary, m.Filename())
	encoded := base64.StdEncoding.EncodeToString(packed)
	for len(encoded) > 76 {
		b.WriteString(encoded[:76] + "\r\n")
		encoded = encoded[76:]
	}
	fmt.Fprintf(&b, "%s\r\n--%s--\r\n", encoded, boundary)
	_, err = io.WriteString(out, b.String())
	return err
}
