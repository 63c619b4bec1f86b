package server

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"time"

	"podmail/mail"
	"podmail/mail/parse"
	"podmail/storage"
)

// Link is a signed URL that needs no header until it expires.
type Link struct {
	URL       string
	ExpiresAt time.Time
}

// linkLife is how long a link works.
const linkLife = time.Hour

// File is an opened download.
type File struct {
	Name, ContentType string
	Size              int64
	Modified          time.Time
	io.ReadSeeker
}

// ticket is what a link's token says. It is signed, not secret.
type ticket struct {
	Pod        int64  `json:"p"`
	Inbox      int64  `json:"i"`
	Message    string `json:"m"`
	Attachment string `json:"a,omitempty"` // empty: the raw message
	Expires    int64  `json:"e"`           // unix seconds
}

// RawLink makes a link to a message's bytes.
func (s *Server) RawLink(ctx context.Context, g mail.Grant, messageID string) (m mail.Message, l Link, err error) {
	m, err = s.readMessage(ctx, g, messageID)
	if err != nil {
		return m, l, err
	}
	return m, s.link(&m, ""), nil
}

// AttachmentLink makes a link to a decoded attachment of a message.
func (s *Server) AttachmentLink(ctx context.Context, g mail.Grant, messageID, attachmentID string) (mail.Attachment, Link, error) {
	m, err := s.readMessage(ctx, g, messageID)
	if err != nil {
		return mail.Attachment{}, Link{}, err
	}
	if a, ok := attachment(&m, attachmentID); ok {
		return a, s.link(&m, attachmentID), nil
	}
	return mail.Attachment{}, Link{}, mail.NotFound("Attachment")
}

// ThreadAttachmentLink makes a link to an attachment of any message of a thread.
func (s *Server) ThreadAttachmentLink(ctx context.Context, g mail.Grant, threadID, attachmentID string) (mail.Attachment, Link, error) {
	if err := g.Require(mail.MessageRead); err != nil {
		return mail.Attachment{}, Link{}, err
	}
	var t mail.Thread
	var messages []mail.Message
	err := s.store.System().Read(ctx, func(sys storage.SystemTx) (err error) {
		if t, err = findThread(sys.For(g.Scope), g, threadID); err != nil {
			return err
		}
		messages, err = sys.For(t.Scope()).ListMessagesOfThread(t.ID)
		return err
	})
	if err != nil {
		return mail.Attachment{}, Link{}, coded(err, "Thread")
	}
	for i := range messages {
		m := &messages[i]
		if a, ok := attachment(m, attachmentID); ok && mail.HiddenOf(m.Labels)&^readable(g) == 0 {
			return a, s.link(m, attachmentID), nil
		}
	}
	return mail.Attachment{}, Link{}, mail.NotFound("Attachment")
}

func (s *Server) readMessage(ctx context.Context, g mail.Grant, messageID string) (m mail.Message, err error) {
	if err := g.Require(mail.MessageRead); err != nil {
		return m, err
	}
	err = s.store.For(g.Scope).Read(ctx, func(tx storage.Tx) (err error) {
		m, err = findMessage(tx, g, messageID)
		return err
	})
	return m, coded(err, "Message")
}

func attachment(m *mail.Message, id string) (mail.Attachment, bool) {
	for _, a := range m.Attachments {
		if a.AttachmentID == id {
			return a, true
		}
	}
	return mail.Attachment{}, false
}

// link signs a ticket. The URL is PublicURL + "/downloads/" + token.
func (s *Server) link(m *mail.Message, attachmentID string) Link {
	expires := s.clock.Now().Add(linkLife)
	t, _ := json.Marshal(ticket{Pod: m.Pod, Inbox: m.Inbox, Message: m.MessageID, Attachment: attachmentID, Expires: expires.Unix()}) // plain fields always marshal
	return Link{URL: s.publicURL + "/downloads/" + base64.RawURLEncoding.EncodeToString(t) + "." + s.sign(t), ExpiresAt: expires}
}

func (s *Server) sign(b []byte) string {
	mac := hmac.New(sha256.New, s.organization.Secret)
	mac.Write(b)
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// OpenDownload opens what a link's token names. CodeForbidden if the token is bad or expired, not_found if the thing
// is gone. The file reads the store chunk by chunk and needs no closing.
func (s *Server) OpenDownload(ctx context.Context, token string) (*File, error) {
	t, err := s.checkToken(token)
	if err != nil {
		return nil, err
	}
	h := s.store.For(mail.Scope{Pod: t.Pod, Inbox: t.Inbox})
	var m mail.Message
	var raw storage.RawMessage
	err = h.Read(ctx, func(tx storage.Tx) (err error) {
		if err := tx.CheckOwnInbox(); err != nil {
			return err
		}
		if m, err = tx.FindMessage(t.Message); err != nil {
			return err
		}
		raw, err = tx.FindRaw(m.ID)
		return err
	})
	if err != nil {
		return nil, coded(err, "Message")
	}
	r := h.Reader(ctx, raw)
	if t.Attachment == "" {
		return &File{Name: "message.eml", ContentType: "message/rfc822", Size: m.Size, Modified: m.CreatedAt, ReadSeeker: io.NewSectionReader(r, 0, m.Size)}, nil
	}
	a, ok := attachment(&m, t.Attachment)
	if !ok {
		return nil, mail.NotFound("Attachment")
	}
	decoded := &decodedFile{size: a.Size, open: func() io.Reader { return parse.Decode(io.NewSectionReader(r, a.Body, a.End-a.Body), a.Encoding) }}
	return &File{Name: a.Filename, ContentType: a.ContentType, Size: a.Size, Modified: m.CreatedAt, ReadSeeker: decoded}, nil
}

func (s *Server) checkToken(token string) (t ticket, err error) {
	refused := mail.Errorf(mail.CodeForbidden, "The download link is not valid or has expired.").WithFix("Ask for a new download_url.")
	payload, signature, _ := strings.Cut(token, ".")
	b, err := base64.RawURLEncoding.DecodeString(payload)
	if err != nil || !hmac.Equal([]byte(s.sign(b)), []byte(signature)) {
		return t, refused
	}
	if err := json.Unmarshal(b, &t); err != nil || s.clock.Now().Unix() >= t.Expires {
		return t, refused
	}
	return t, nil
}

// decodedFile makes a decoding stream seekable: to go forward it reads on, to go back it begins again.
type decodedFile struct {
	open   func() io.Reader
	size   int64
	pos    int64 // where the caller is
	stream io.Reader
	at     int64 // where the stream is
}

// Seek implements io.Seeker.
func (f *decodedFile) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += f.pos
	case io.SeekEnd:
		offset += f.size
	}
	if offset < 0 {
		return f.pos, errors.New("seek before the start")
	}
	f.pos = offset
	return f.pos, nil
}

// Read implements io.Reader.
func (f *decodedFile) Read(p []byte) (int, error) {
	if f.stream == nil || f.at > f.pos {
		f.stream, f.at = f.open(), 0
	}
	if f.at < f.pos {
		n, err := io.CopyN(io.Discard, f.stream, f.pos-f.at)
		f.at += n
		if err != nil {
			return 0, err
		}
	}
	n, err := f.stream.Read(p)
	f.at += int64(n)
	f.pos = f.at
	return n, err
}
