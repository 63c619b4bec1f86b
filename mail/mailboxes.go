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
