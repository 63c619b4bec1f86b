package imap

import (
	"errors"
	"io"

	goimap "github.com/emersion/go-imap/v2"

	"podmail/server"
)

// Append implements imapserver.Session (RFC 9051 6.3.12). The message streams from the socket into the server.
func (a *adapter) Append(mailbox string, r goimap.LiteralReader, options *goimap.AppendOptions) (*goimap.AppendData, error) {
	flags := make([]string, len(options.Flags))
	for i, f := range options.Flags {
		flags[i] = string(f)
	}
	if r.Size() == 0 { // RFC 3502 6.3.11: how a client calls an APPEND off
		return nil, &goimap.Error{Type: goimap.StatusResponseTypeNo, Text: "An empty message is not filed"}
	}
	uidValidity, uid, err := a.session.Append(server.Append{
		Mailbox: mailbox, Flags: flags, Date: options.Time, Body: &wholeLiteral{r: r, left: r.Size()},
	})
	if err != nil {
		return nil, tryCreate(a.failed("APPEND", err))
	}
	return &goimap.AppendData{UIDValidity: uidValidity, UID: goimap.UID(uid)}, nil
}

// wholeLiteral makes an error of a literal that ends early: the library takes the end of the connection for its end.
type wholeLiteral struct {
	r    io.Reader
	left int64
}

// Read implements io.Reader.
func (l *wholeLiteral) Read(p []byte) (int, error) {
	n, err := l.r.Read(p)
	if l.left -= int64(n); errors.Is(err, io.EOF) && l.left > 0 {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}
