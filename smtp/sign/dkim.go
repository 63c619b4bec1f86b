// Package sign makes the signatures under which mail leaves: DKIM (RFC 6376, RFC 8463), and ARC seals on what is forwarded
// (RFC 8617). go-msgauth signs DKIM, by the clock of this machine; the rest is
// pure: keys, time and bytes are handed in.
package sign

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"github.com/emersion/go-msgauth/dkim"

	"podmail/mail"
)

const (
	maxAlike = 100      // fields of one name that are signed: each is looked for among all
	pieces   = 32 << 10 // in which a body goes to those who sign it
)

// oversigned fields are named once more than they are there, so that nobody can add one (RFC 6376 8.15).
var oversigned = []string{"from", "sender", "reply-to", "subject", "date", "message-id", "to", "cc", "mime-version", "content-type", "content-transfer-encoding"}

// signed fields are named as often as they are there.
var signed = []string{"in-reply-to", "references", "list-id", "list-unsubscribe", "list-unsubscribe-post", "list-help", "list-post", "list-subscribe",
	"list-owner", "list-archive", "auto-submitted", "feedback-id", "tls-report-domain", "tls-report-submitter", "resent-from", "resent-to", "resent-cc", "resent-date", "resent-message-id"}

// Signer signs one message, which is written to it with lines ended by CRLF. It holds the header and nothing of the body.
// It must be closed.
type Signer struct {
	intake
	keys    []mail.SigningKey
	signers []*dkim.Signer // for the first of keys
	buffer  *bufio.Writer
}

// New returns a Signer with keys for a message that leaves now.
func New(keys []mail.SigningKey) *Signer {
	s := &Signer{keys: keys}
	if len(keys) > 0 {
		s.begin = s.start
	}
	return s
}

// start begins to sign with every key, once the header is there.
func (s *Signer) start(header []byte) (io.Writer, error) {
	fields := splitFields(header)
	names, err := headerKeys(fields)
	if err != nil {
		return nil, err
	}
	var all []io.Writer
	for _, key := range s.keys {
		d, err := dkim.NewSigner(&dkim.SignOptions{Domain: key.Domain, Selector: key.Selector, Signer: key.Signer, HeaderKeys: names,
			HeaderCanonicalization: dkim.CanonicalizationRelaxed, BodyCanonicalization: dkim.CanonicalizationRelaxed})
		if err != nil {
			return nil, keyError(key, err)
		}
		s.signers = append(s.signers, d)
		all = append(all, d)
	}
	s.buffer = bufio.NewWriterSize(io.MultiWriter(all...), pieces)
	for _, f := range fields {
		if isSigned(f.name) {
			s.buffer.WriteString(f.relaxed()) // the form in which it is signed: one line, however it was folded
		}
	}
	s.buffer.WriteString("\r\n")
	return s.buffer, nil
}

// Fields returns a DKIM-Signature field for each key, to be put on top of the message; none without keys.
func (s *Signer) Fields() (out []byte, err error) {
	if len(s.keys) == 0 {
		return nil, nil
	}
	if _, err := s.finish(); err != nil {
		return nil, err
	}
	flushed := s.buffer.Flush() // what is wrong with a key, its signer says
	for i, d := range s.signers {
		if err := d.Close(); err != nil {
			return nil, keyError(s.keys[i], err)
		}
		out = append(out, strings.Replace(d.Signature(), "; bh=", ";\r\n\tbh=", 1)...) // the line is too long, and white space may be any
	}
	return out, flushed
}

// Close ends what was begun. It may follow Fields.
func (s *Signer) Close() {
	for _, d := range s.signers {
		d.Close()
	}
}

func keyError(key mail.SigningKey, err error) error {
	return fmt.Errorf("DKIM key %s of %s: %w", key.Selector, key.Domain, err)
}
