package mail

// Mailbox is one IMAP folder of an inbox.
type Mailbox struct {
	ID          int64
	Inbox       int64
	Name        string // UTF-8, "/" between levels
	Role        Role   // empty for the user's own
	Label       string // the label that says a message is here
	UIDNext     uint32
	ModSeq      int64 // highest given out
	Subscribed  bool
	Messages    int64 // filled by status queries only
	Unseen      int64
	Size        int64
	UIDValidity uint32
}

// Role is the part a mailbox plays (RFC 6154 special use, and INBOX).
type Role string

// The roles; every inbox has one mailbox of each.
const (
	RoleInbox   Role = "inbox"
	RoleSent    Role = "sent"
	RoleDrafts  Role = "drafts"
	RoleSpam    Role = "spam" // \Junk
	RoleTrash   Role = "trash"
	RoleArchive Role = "archive"
)

// StandardMailboxes are the mailboxes that every inbox starts with.
func StandardMailboxes() []Mailbox {
	return []Mailbox{
		{Name: "INBOX", Role: RoleInbox, Label: LabelReceived, Subscribed: true},
		{Name: "Sent", Role: RoleSent, Label: LabelSent, Subscribed: true},
		{Name: "Drafts", Role: RoleDrafts, Label: LabelDraft, Subscribed: true},
		{Name: "Spam", Role: RoleSpam, Label: LabelSpam, Subscribed: true},
		{Name: "Trash", Role: RoleTrash, Label: LabelTrash, Subscribed: true},
		{Name: "Archive", Role: RoleArchive, Label: LabelArchive, Subscribed: true},
	}
}

// UIDRange is a span of UIDs, both ends included.
type UIDRange struct{ First, Last uint32 }

// Selected is a mailbox as a session opens it: all in one snapshot.
type Selected struct {
	Mailbox Mailbox
	UIDs    []uint32 // ascending
	Unseen  int64
	Labels  []string // every label that occurs in the mailbox, for the FLAGS answer
}

// MailboxChanges is what has happened in a mailbox since a modseq, in one snapshot.
type MailboxChanges struct {
	ModSeq   int64 // highest of the snapshot: pass it next time
	UIDNext  uint32
	Changed  []MessageState // new messages and changed labels, by UID
	Expunged []uint32       // ascending; a message that came and went between is in neither list
}

// MessageState is what changes about a message that IMAP shows.
type MessageState struct {
	UID    uint32
	ModSeq int64
	Labels []string
}

// LabelChange is an edit of labels: add and remove (remove wins), or with Replace exactly Add, as far as the caller
// may set labels at all.
type LabelChange struct {
	Add, Remove []string
	Replace     bool
}

// Copied pairs the UIDs of a COPY or MOVE (RFC 4315 COPYUID).
type Copied struct {
	UIDValidity  uint32
	Source, Dest []uint32 // same length
}
