package unpack

import (
	"fmt"
	"io"
	"strings"

	"podmail/mail"
	"podmail/mail/parse"
)

// Find opens the report in a message, whose bytes are r: the first attachment that is wanted for its type or name, else
// the first that is packed and says no more of itself. It is nil if there is none.
func Find(p *mail.Parsed, r io.ReaderAt, wanted func(*mail.Attachment) bool) (io.Reader, error) {
	for i := range p.Attachments {
		if a := &p.Attachments[i]; wanted(a) {
			return openAttachment(a, r)
		}
	}
	for i := range p.Attachments {
		if a := &p.Attachments[i]; mayBePacked(a) {
			var magic [4]byte
			if n, err := io.ReadFull(content(a, r), magic[:]); isGzip(magic[:n]) || isZip(magic[:n]) {
				return openAttachment(a, r)
			} else if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
				return nil, err
			}
		}
	}
	return nil, nil
}

// mayBePacked tells whether an attachment is of no type in particular, or is called like what is packed.
func mayBePacked(a *mail.Attachment) bool {
	name := strings.ToLower(a.Filename)
	return a.ContentType == "application/octet-stream" || strings.HasSuffix(name, ".gz") || strings.HasSuffix(name, ".zip")
}

func openAttachment(a *mail.Attachment, r io.ReaderAt) (io.Reader, error) {
	packed, err := Open(content(a, r))
	if err != nil {
		return nil, fmt.Errorf("read %.100q: %w", a.Filename, err)
	}
	return packed, nil
}

func content(a *mail.Attachment, r io.ReaderAt) io.Reader {
	return parse.Decode(io.NewSectionReader(r, a.Body, max(0, a.End-a.Body)), a.Encoding)
}
