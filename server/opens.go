package server

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"podmail/mail"
	"podmail/mail/compose"
	"podmail/storage"
)

// OpensPath is where the pictures lie, below link.<domain>, that tell of messages being opened.
const OpensPath = "/o/"

// openTokens names messages in the URLs of pictures. A name is enciphered and authenticated, so that it tells nothing to
// whoever sees it, cannot be guessed, and need not be stored.
type openTokens struct{ cipher.AEAD }

// opening is what a token says: which message of which inbox.
type opening struct {
	scope mail.Scope
	id    uuid.UUID // the message id's part before the @
}

func newOpenTokens(secret []byte) (openTokens, error) {
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte("open tokens"))
	block, err := aes.NewCipher(mac.Sum(nil))
	if err != nil {
		return openTokens{}, err
	}
	aead, err := cipher.NewGCM(block)
	return openTokens{aead}, err
}

// of makes a token for a message.
func (t openTokens) of(random io.Reader, o opening) (string, error) {
	token := make([]byte, t.NonceSize(), t.NonceSize()+32+t.Overhead())
	if _, err := io.ReadFull(random, token); err != nil {
		return "", fmt.Errorf("random bytes: %w", err)
	}
	plain := binary.BigEndian.AppendUint64(nil, uint64(o.scope.Pod))
	plain = binary.BigEndian.AppendUint64(plain, uint64(o.scope.Inbox))
	plain = append(plain, o.id[:]...)
	return base64.RawURLEncoding.EncodeToString(t.Seal(token, token, plain, nil)), nil
}

// parse reads a token; false if of never made it.
func (t openTokens) parse(token string) (o opening, ok bool) {
	sealed, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil || len(sealed) != t.NonceSize()+32+t.Overhead() {
		return o, false
	}
	plain, err := t.Open(nil, sealed[:t.NonceSize()], sealed[t.NonceSize():], nil)
	if err != nil {
		return o, false
	}
	o.scope = mail.Scope{Pod: int64(binary.BigEndian.Uint64(plain)), Inbox: int64(binary.BigEndian.Uint64(plain[8:]))}
	copy(o.id[:], plain[16:])
	return o, true
}

// linkHost is the host that serves pictures for an inbox's domain: link.<domain>, once its record was found. Empty if
// there is none.
func (s *Server) linkHost(ctx context.Context, inbox mail.Inbox) (host string, err error) {
	_, name, _ := mail.SplitAddress(inbox.Address)
	err = s.store.System().Read(ctx, func(sys storage.SystemTx) error {
		nearest, ok, err := servingDomain(sys.For(mail.Scope{Pod: inbox.Pod}), name)
		if err != nil || !ok {
			return err
		}
		d, err := sys.For(nearest.Scope()).FindDomainByID(nearest.ID)
		host = d.LinkHost()
		return err
	})
	return host, coded(err, "Domain")
}

// track puts the picture into a message's HTML that tells when the message is opened.
func (s *Server) track(ctx context.Context, out *outgoing) error {
	host, err := s.linkHost(ctx, out.inbox)
	if err != nil {
		return err
	}
	if host == "" {
		return mail.Errorf(mail.CodeInvalid, "Opens cannot be tracked for %s: its domain has no verified tracking.", out.inbox.Address).WithReason(mail.ReasonUnprocessable).
			WithFix("Set tracking_enabled on a domain of your own and publish the record of its link host, or leave track_opens out.")
	}
	if out.draft.HTML == "" {
		return mail.Errorf(mail.CodeInvalid, "Opens cannot be tracked: the message has no HTML.").WithReason(mail.ReasonUnprocessable).
			WithFix("Give html, or leave track_opens out.")
	}
	local, _, _ := strings.Cut(strings.TrimPrefix(out.draft.MessageID, "<"), "@")
	id, err := uuid.Parse(local)
	if err != nil {
		return fmt.Errorf("message id %s: %w", out.draft.MessageID, err)
	}
	token, err := s.openTokens.of(s.random, opening{out.inbox.Scope(), id})
	if err != nil {
		return err
	}
	out.draft.HTML = compose.AddPicture(out.draft.HTML, s.linkOrigin(host)+OpensPath+token)
	return nil
}

// linkOrigin is where the HTTP listener is reached under another name: as PublicURL says, but for the host.
func (s *Server) linkOrigin(host string) string {
	u, err := url.Parse(s.publicURL)
	if err != nil {
		return "https://" + host
	}
	if port := u.Port(); port != "" {
		host += ":" + port
	}
	return u.Scheme + "://" + host
}

// Opened notes that the picture of a message was fetched: an event and a label, the first time. A token of nothing is
// not an error, nor is one whose message is gone: nobody is told which there are.
func (s *Server) Opened(ctx context.Context, token string) error {
	o, ok := s.openTokens.parse(token)
	if !ok {
		return nil
	}
	h := s.store.For(o.scope)
	var m mail.Message
	err := h.Read(ctx, func(tx storage.Tx) (err error) {
		m, err = o.find(tx)
		return err
	})
	now := s.clock.Now()
	if err == nil && !slices.Contains(m.Labels, mail.LabelOpened) {
		err = h.Write(ctx, func(tx storage.Tx) error { return s.markOpened(tx, o, now) })
		s.hub.Wake(o.scope)
	}
	if errors.Is(err, storage.ErrNotFound) || errors.Is(err, storage.ErrGone) {
		return nil
	}
	return coded(err, "Message")
}

// find finds the message that was sent.
func (o opening) find(tx storage.Tx) (m mail.Message, err error) {
	inbox, err := tx.FindOwnInbox()
	if err != nil {
		return m, err
	}
	_, domain, _ := mail.SplitAddress(inbox.Address)
	return tx.FindMessage("<" + o.id.String() + "@" + domain + ">")
}

// markOpened notes the first opening of a message.
func (s *Server) markOpened(tx storage.Tx, o opening, now time.Time) error {
	m, err := o.find(tx)
	if err != nil || slices.Contains(m.Labels, mail.LabelOpened) {
		return err
	}
	e := s.newEdit(tx, now)
	if err := e.relabel(&m, []string{mail.LabelOpened}, nil); err != nil {
		return err
	}
	if err := e.flush(); err != nil {
		return err
	}
	return tx.InsertEvent(mail.Event{Type: mail.EventOpened, Message: m.ID, MessageID: m.MessageID, CreatedAt: now})
}

// withoutPictures is a message's HTML as the inbox of the scope itself is shown it: who looks at what they sent is not
// whom they sent it to.
func (s *Server) withoutPictures(scope mail.Scope, html string) string {
	if !strings.Contains(html, OpensPath) {
		return html
	}
	return compose.RemovePictures(html, func(src string) bool {
		o, ok := s.openTokens.parse(src[strings.LastIndexByte(src, '/')+1:])
		return ok && scope.Covers(o.scope)
	})
}
