package server

import (
	"context"
	"io"
	"log/slog"
	"net/netip"
	"time"

	"podmail/mail"
	"podmail/server/notify"
	"podmail/storage"
)

// Options is everything a Server needs.
type Options struct {
	Store          *storage.Store
	Hub            *notify.Hub
	Clock          mail.Clock
	Random         io.Reader
	Log            *slog.Logger
	Hostname       string
	DefaultDomain  string
	PublicURL      string // of the HTTP listener, without trailing slash
	MaxMessageSize int64  // bytes
}

type Server struct{}

// New returns a Server; Run its background work beside it.
func New(o Options) (*Server, error) { panic("stub") }

// Run does the background work (local deliveries, search indexing, clean-up, used_at) until ctx ends.
func (s *Server) Run(ctx context.Context) error { panic("stub") }

// ---- auth.go

// Authenticate turns an API key's secret into what it grants. CodeUnauthenticated if unknown, revoked or expired.
func (s *Server) Authenticate(ctx context.Context, secret string) (mail.Grant, error) { panic("stub") }

// Login is Authenticate for mail clients: user is an inbox address, password an API key whose scope covers it. The
// grant is narrowed to the inbox. CodeUnauthenticated whatever is wrong.
func (s *Server) Login(ctx context.Context, user, password string) (mail.Grant, mail.Inbox, error) {
	panic("stub")
}

// InPod narrows a grant to a pod named by pod_id or client_id. not_found outside the grant's scope; forbidden for an
// inbox's grant.
func (s *Server) InPod(ctx context.Context, g mail.Grant, podID string) (mail.Grant, error) {
	panic("stub")
}

// InInbox narrows a grant to an inbox named by address or client_id; not_found outside the grant's scope.
func (s *Server) InInbox(ctx context.Context, g mail.Grant, inboxID string) (mail.Grant, error) {
	panic("stub")
}

// ---- pods.go

type NewPod struct{ Name, ClientID string }

func (s *Server) OrganizationID() string { panic("stub") }
func (s *Server) Organization(ctx context.Context, g mail.Grant) (mail.Organization, error) {
	panic("stub")
}
func (s *Server) CreatePod(ctx context.Context, g mail.Grant, p NewPod) (mail.Pod, error) {
	panic("stub")
}
func (s *Server) GetPod(ctx context.Context, g mail.Grant, podID string) (mail.Pod, error) {
	panic("stub")
}
func (s *Server) ListPods(ctx context.Context, g mail.Grant, p mail.Page) ([]mail.Pod, string, error) {
	panic("stub")
}
func (s *Server) DeletePod(ctx context.Context, g mail.Grant, podID string) error { panic("stub") }

// ---- inboxes.go

// NewInbox asks for an inbox. All fields may be empty.
type NewInbox struct {
	Username, Domain, DisplayName, ClientID string
	Metadata                                map[string]any
}

// InboxUpdate changes an inbox. Nil pointers leave a field as it is.
type InboxUpdate struct {
	DisplayName   *string        // "" clears it
	Metadata      map[string]any // merged; a nil value removes its key
	ClearMetadata bool
}

func (s *Server) CreateInbox(ctx context.Context, g mail.Grant, n NewInbox) (mail.Inbox, error) {
	panic("stub")
}
func (s *Server) GetInbox(ctx context.Context, g mail.Grant, inboxID string) (mail.Inbox, error) {
	panic("stub")
}
func (s *Server) ListInboxes(ctx context.Context, g mail.Grant, p mail.Page) ([]mail.Inbox, string, error) {
	panic("stub")
}
func (s *Server) UpdateInbox(ctx context.Context, g mail.Grant, inboxID string, u InboxUpdate) (mail.Inbox, error) {
	panic("stub")
}
func (s *Server) DeleteInbox(ctx context.Context, g mail.Grant, inboxID string) error { panic("stub") }

// ---- api_keys.go

type NewAPIKey struct {
	Name        string
	Permissions mail.Permissions // nil: everything in scope
}

// APIKeyUpdate changes a key. Nil leaves a field as it is.
type APIKeyUpdate struct {
	Name             *string
	Permissions      mail.Permissions
	ClearPermissions bool
}

func (s *Server) CreateAPIKey(ctx context.Context, g mail.Grant, n NewAPIKey) (key mail.APIKey, secret string, err error) {
	panic("stub")
}
func (s *Server) GetAPIKey(ctx context.Context, g mail.Grant, id string) (mail.APIKey, error) {
	panic("stub")
}
func (s *Server) ListAPIKeys(ctx context.Context, g mail.Grant, p mail.Page) ([]mail.APIKey, string, error) {
	panic("stub")
}
func (s *Server) UpdateAPIKey(ctx context.Context, g mail.Grant, id string, u APIKeyUpdate) (mail.APIKey, error) {
	panic("stub")
}
func (s *Server) DeleteAPIKey(ctx context.Context, g mail.Grant, id string) error { panic("stub") }

// ---- messages.go (grants narrowed to one inbox by InInbox)

func (s *Server) ListMessages(ctx context.Context, g mail.Grant, f mail.MessageFilter, p mail.Page) ([]mail.Message, string, error) {
	panic("stub")
}
func (s *Server) GetMessage(ctx context.Context, g mail.Grant, messageID string) (mail.Message, mail.Content, error) {
	panic("stub")
}

// UpdateMessage adds and removes labels (remove wins) and returns the message with its new ones.
func (s *Server) UpdateMessage(ctx context.Context, g mail.Grant, messageID string, add, remove []string) (mail.Message, error) {
	panic("stub")
}
func (s *Server) DeleteMessage(ctx context.Context, g mail.Grant, messageID string) error {
	panic("stub")
}

// ---- threads.go (any grant)

func (s *Server) ListThreads(ctx context.Context, g mail.Grant, f mail.MessageFilter, p mail.Page) ([]mail.Thread, string, error) {
	panic("stub")
}

// ThreadMessage is a message with its content, as a thread shows it.
type ThreadMessage struct {
	mail.Message
	mail.Content
}

// GetThread returns the thread and one page of its messages: newest page first, each page in ascending order.
func (s *Server) GetThread(ctx context.Context, g mail.Grant, threadID string, p mail.Page) (mail.Thread, []ThreadMessage, string, error) {
	panic("stub")
}
func (s *Server) UpdateThread(ctx context.Context, g mail.Grant, threadID string, add, remove []string) (mail.Thread, error) {
	panic("stub")
}
func (s *Server) DeleteThread(ctx context.Context, g mail.Grant, threadID string) error {
	panic("stub")
}

// ---- send.go (grants narrowed to one inbox)

// SendRequest is what send, reply and forward take. Addresses are as callers wrote them: `a@b` or `Name <a@b>`.
type SendRequest struct {
	To, Cc, Bcc, ReplyTo []string
	Subject              string
	Text, HTML           *string
	Attachments          []NewAttachment
	Headers              map[string]string
	Labels               []string
}

// NewAttachment is a file to send. Content is what it holds, decoded.
type NewAttachment struct {
	Filename, ContentType, Disposition, ContentID string
	Content                                       []byte
}

func (s *Server) Send(ctx context.Context, g mail.Grant, r SendRequest) (mail.Message, error) {
	panic("stub")
}

// Reply answers a message; with all it also goes to the original's other recipients, and r may then name none.
func (s *Server) Reply(ctx context.Context, g mail.Grant, messageID string, r SendRequest, all bool) (mail.Message, error) {
	panic("stub")
}
func (s *Server) Forward(ctx context.Context, g mail.Grant, messageID string, r SendRequest) (mail.Message, error) {
	panic("stub")
}

// ---- downloads.go

// Link is a signed URL that needs no header until it expires.
type Link struct {
	URL       string
	ExpiresAt time.Time
}

// File is an opened download.
type File struct {
	Name, ContentType string
	Size              int64
	Modified          time.Time
	io.ReadSeekCloser
}

func (s *Server) RawLink(ctx context.Context, g mail.Grant, messageID string) (mail.Message, Link, error) {
	panic("stub")
}
func (s *Server) AttachmentLink(ctx context.Context, g mail.Grant, messageID, attachmentID string) (mail.Attachment, Link, error) {
	panic("stub")
}
func (s *Server) ThreadAttachmentLink(ctx context.Context, g mail.Grant, threadID, attachmentID string) (mail.Attachment, Link, error) {
	panic("stub")
}

// OpenDownload opens what a Link's URL names. The URL is PublicURL + "/downloads/" + token. CodeForbidden if the
// token is bad or expired, not_found if the thing is gone.
func (s *Server) OpenDownload(ctx context.Context, token string) (*File, error) { panic("stub") }

// ---- deliver.go, submit.go

// Session is what is known of the SMTP peer, for the Received field (RFC 5321 4.4) and the log.
type Session struct {
	Remote   netip.AddrPort
	HELO     string
	Protocol string // ESMTP, ESMTPS, ESMTPA, ESMTPSA (RFC 3848)
	TLS      string // version and cipher; empty without TLS
}

// Incoming is a message on its way in. Body is read to its end, once; any error of it but io.EOF refuses the message.
type Incoming struct {
	Session     Session
	ReversePath string // empty: a bounce
	Recipients  []string
	Body        io.Reader
}

// Recipient finds the inbox that an envelope recipient names (case-insensitive, plus-addresses included).
// CodeNotFound if there is none.
func (s *Server) Recipient(ctx context.Context, address string) (mail.Inbox, error) { panic("stub") }

// Deliver puts a message into the inboxes of all its recipients, in one transaction, synced. Recipients are those that
// Recipient accepted. Codes: too_large, invalid, unavailable, not_found (an inbox went away meanwhile).
func (s *Server) Deliver(ctx context.Context, in Incoming) error { panic("stub") }

// MaySend checks that the grant (an inbox's) may send under this reverse-path. CodeForbidden if not.
func (s *Server) MaySend(ctx context.Context, g mail.Grant, reversePath string) error { panic("stub") }

// Submit stores a message that a mail client handed in as sent, with a queue row for each recipient. The From field
// must be the inbox: CodeForbidden otherwise. Missing Date and Message-ID are added (RFC 6409 8).
func (s *Server) Submit(ctx context.Context, g mail.Grant, in Incoming) (mail.Message, error) {
	panic("stub")
}

// ---- mailboxes.go (IMAP's view; grants narrowed to one inbox by Login)

func (s *Server) ListMailboxes(ctx context.Context, g mail.Grant) ([]mail.Mailbox, error) {
	panic("stub")
}

// MailboxStatus returns the mailbox with its counts. Names are case-insensitive for INBOX only, though no two
// mailboxes may differ by case alone. not_found if there is none.
func (s *Server) MailboxStatus(ctx context.Context, g mail.Grant, name string) (mail.Mailbox, error) {
	panic("stub")
}
func (s *Server) CreateMailbox(ctx context.Context, g mail.Grant, name string) (mail.Mailbox, error) {
	panic("stub")
}

// DeleteMailbox removes a mailbox of the user's and the messages in it; CodeForbidden for the standard ones.
func (s *Server) DeleteMailbox(ctx context.Context, g mail.Grant, name string) error { panic("stub") }

// RenameMailbox renames a mailbox of the user's and those below it. INBOX and the standard ones: CodeForbidden.
func (s *Server) RenameMailbox(ctx context.Context, g mail.Grant, name, newName string) error {
	panic("stub")
}
func (s *Server) SubscribeMailbox(ctx context.Context, g mail.Grant, name string, subscribed bool) error {
	panic("stub")
}

// SelectMailbox opens a mailbox: its state and UIDs in one snapshot.
func (s *Server) SelectMailbox(ctx context.Context, g mail.Grant, name string) (mail.Selected, error) {
	panic("stub")
}

// MailboxChanges tells what happened in a mailbox after modseq since. not_found if the mailbox is gone.
func (s *Server) MailboxChanges(ctx context.Context, g mail.Grant, mailbox int64, since int64) (mail.MailboxChanges, error) {
	panic("stub")
}

// FetchWant says what FetchMessages must bring beside UID, labels, modseq, size and internal date.
type FetchWant struct{ Envelope, Structure, Raw bool }

// FetchedMessage is one message as FETCH sees it. It is valid only during the callback.
type FetchedMessage struct {
	mail.MessageState
	InternalDate time.Time
	Size         int64
	Envelope     *mail.Envelope // if wanted
	Structure    *mail.Part     // if wanted
	Raw          io.ReaderAt    // if wanted: the message's bytes, read chunk by chunk
	ThreadID     string
	MessageID    string
}

// FetchMessages calls fn for each message of the mailbox within ranges, by rising UID. An error of fn ends it.
func (s *Server) FetchMessages(ctx context.Context, g mail.Grant, mailbox int64, ranges []mail.UIDRange, want FetchWant, fn func(*FetchedMessage) error) error {
	panic("stub")
}

// StoreLabels edits labels of the messages within ranges and returns the new states of all that still exist. With
// unchangedSince > 0 it leaves alone messages with a higher modseq. A change of labels here never moves a message.
func (s *Server) StoreLabels(ctx context.Context, g mail.Grant, mailbox int64, ranges []mail.UIDRange, change mail.LabelChange) ([]mail.MessageState, error) {
	panic("stub")
}

// CopyMessages copies messages to the mailbox named dest (not_found if there is none).
func (s *Server) CopyMessages(ctx context.Context, g mail.Grant, mailbox int64, ranges []mail.UIDRange, dest string) (mail.Copied, error) {
	panic("stub")
}

// MoveMessages moves messages to the mailbox named dest, with the labels that this means.
func (s *Server) MoveMessages(ctx context.Context, g mail.Grant, mailbox int64, ranges []mail.UIDRange, dest string) (mail.Copied, error) {
	panic("stub")
}

// ExpungeMessages removes for good the messages that are labelled deleted; with ranges not nil only those within.
// It returns their UIDs, ascending.
func (s *Server) ExpungeMessages(ctx context.Context, g mail.Grant, mailbox int64, ranges []mail.UIDRange) ([]uint32, error) {
	panic("stub")
}

// Append is a message that an IMAP client files.
type Append struct {
	Mailbox string
	Flags   []string  // as the client wrote them
	Date    time.Time // zero: now
	Body    io.Reader // any error of it but io.EOF refuses the message
}

// AppendMessage files a message and returns its UIDVALIDITY and UID.
func (s *Server) AppendMessage(ctx context.Context, g mail.Grant, a Append) (uidValidity, uid uint32, err error) {
	panic("stub")
}

// Watch returns a channel that receives after something in the grant's scope was committed, and a function that ends
// the watch.
func (s *Server) Watch(g mail.Grant) (<-chan struct{}, func()) { panic("stub") }

// Label of the MaxMessageSize option, for SIZE and APPENDLIMIT.
func (s *Server) MaxMessageSize() int64 { panic("stub") }
