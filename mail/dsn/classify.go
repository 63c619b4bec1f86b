package dsn

import "strings"

// BounceType is the contract's type of a bounce.
type BounceType string

// The types.
const (
	Permanent    BounceType = "Permanent"
	Transient    BounceType = "Transient"
	Undetermined BounceType = "Undetermined"
)

// The sub_types of bounces.
const (
	General            = "General"
	NoEmail            = "NoEmail" // there is no such mailbox, and there will be none
	MailboxFull        = "MailboxFull"
	MessageTooLarge    = "MessageTooLarge"
	ContentRejected    = "ContentRejected"
	AttachmentRejected = "AttachmentRejected"
	Suppressed         = "Suppressed" // it was not sent: the address is on a list
	Unknown            = "Undetermined"
)

// Bounce is what a failure means to the sender.
type Bounce struct {
	Type    BounceType
	SubType string
}

// Hard tells whether writing to the address again is of no use, and hurts the sender's name.
func (b Bounce) Hard() bool { return b.Type == Permanent && b.SubType == NoEmail }

// rule says what a failure means whose status ends like this (after the class, "" for any) and whose text has one of
// these words (none: any). The first that fits decides.
type rule struct {
	detail string // such as ".1.1", or the start of several
	class  byte   // '4', '5', or 0 for either
	words  []string
	means  Bounce
}

// The words of hosts, in lower case. Those of noSuchUser name a recipient whatever else is said, those of goneUser do so
// only where nothing tells of us: hosts have reverse names that do not exist, and allow lists in which we are inactive.
var (
	noSuchUser = []string{"user unknown", "unknown user", "no such user", "no such recipient", "no such mailbox", "invalid recipient", "unknown recipient", "recipient unknown", "recipient not found",
		"recipientnotfound", "unrouteable address", "no mailbox here", "mailbox not found", "mailbox unknown", "not a valid mailbox", "unknown local", "address rejected: user", "invalid mailbox", "address unknown",
		"unknown address", "no such address", "no such person", "addressee unknown", "undeliverable address", "user not found"}
	goneUser = []string{"does not exist", "doesn't exist", "doesn't have", "mailbox unavailable", "account is disabled", "account has been disabled", "account disabled", "mailbox disabled",
		"not our customer", "no longer available", "is inactive"}
	fullMailbox = []string{"mailbox full", "mailbox is full", "over quota", "overquota", "quota exceeded", "exceeded quota", "out of storage", "exceeded storage", "inbox is full", "user is full",
		"storage quota", "insufficient disk", "mailfolder is full"}
	tooLarge    = []string{"too large", "too big", "size limit", "exceeds size", "exceeds the maximum", "maximum size", "message size", "file size"}
	aboutSender = []string{"sender address", "sender domain", "sender verif", "sender rejected", "sender's", "sender unknown", "from address", "return path", "spf", "your domain", "your account", "for sending"}
	aboutUs     = []string{"your ip", "ip address", "your host", "your server", "your network", "client host", "client address", "client ip", "reverse dns", "rdns", "reverse lookup", "ptr record", "hostname",
		"host name", "helo", "ehlo", "relay", "not permitted", "access denied", "blocked using", "spamhaus", "spamcop", "barracuda", "dnsbl", "blacklist", "black list", "blocklist", "block list", "allowlist",
		"allow list", "whitelist", "white list", "reputation", "rate quota", "rate limit", "throttl", "too many"}
	attachments = []string{"attachment", "virus", "malware", "infected", "executable", "file type", "potential security issue"}
	content     = []string{"spam", "content", "junk", "phish", "unsolicited", "bulk mail", "message rejected", "message blocked", "dmarc", "virus", "suspicious", "policy reasons"}
)

// rules are asked in order. Words go before codes where hosts are known to choose codes at random.
var rules = []rule{
	{".2.2", 0, nil, Bounce{Transient, MailboxFull}},
	{".2.3", 0, nil, Bounce{Transient, MessageTooLarge}},
	{".3.4", 0, nil, Bounce{Transient, MessageTooLarge}},
	{".1.7", '5', nil, Bounce{Permanent, General}}, // the sender's address is what is wrong
	{".1.8", '5', nil, Bounce{Permanent, General}},
	{".1.9", '5', nil, Bounce{Permanent, General}},
	{".1.1", '5', nil, Bounce{Permanent, NoEmail}}, // and .1.10: no such recipient, null MX (RFC 7505)
	{".1.2", '5', nil, Bounce{Permanent, NoEmail}},
	{".1.3", '5', nil, Bounce{Permanent, NoEmail}},
	{".1.6", '5', nil, Bounce{Permanent, NoEmail}},
	{".4.7", 0, nil, Bounce{Transient, General}},    // it was tried for long enough
	{".7.25", '5', nil, Bounce{Permanent, General}}, // our reverse name (RFC 7372 3.3)
	{"", '5', aboutSender, Bounce{Permanent, General}},
	{".7.", '5', noSuchUser, Bounce{Permanent, NoEmail}},
	{".7.", '5', aboutUs, Bounce{Permanent, General}},
	{".7.", 0, attachments, Bounce{Transient, AttachmentRejected}},
	{".7.", 0, content, Bounce{Transient, ContentRejected}},
	{".6.", 0, attachments, Bounce{Transient, AttachmentRejected}},
	{".6.", 0, nil, Bounce{Transient, ContentRejected}},
	{".7.", '5', nil, Bounce{Permanent, General}},
	{"", '5', noSuchUser, Bounce{Permanent, NoEmail}},
	{"", '5', aboutUs, Bounce{Permanent, General}},
	{"", '4', aboutUs, Bounce{Transient, General}},
	{"", 0, fullMailbox, Bounce{Transient, MailboxFull}},
	{".2.1", '5', nil, Bounce{Permanent, NoEmail}}, // disabled
	{"", '5', goneUser, Bounce{Permanent, NoEmail}},
	{"", 0, tooLarge, Bounce{Transient, MessageTooLarge}},
	{"", '5', attachments, Bounce{Transient, AttachmentRejected}},
	{"", '5', []string{"spam", "junk", "phish", "unsolicited", "malware"}, Bounce{Transient, ContentRejected}},
	{"", '4', nil, Bounce{Transient, General}},
	{"", '5', nil, Bounce{Permanent, General}},
}

// Classify says what a failure means, by its status (RFC 3463; may be empty) and what the other side said, which may
// begin with the reply code.
func Classify(status, text string) Bounce {
	code, enhanced := codes(text)
	if !validStatus(status) || strings.HasSuffix(status, ".0.0") && enhanced != "" { // it says less than the reply itself
		status = enhanced
	}
	class, detail := byte(0), ""
	switch {
	case status != "":
		class, detail = status[0], status[1:]
	case code != "":
		class = code[0]
	default:
		return Bounce{Undetermined, Unknown}
	}
	text = strings.ToLower(text)
	for _, r := range rules {
		if r.class != 0 && r.class != class || !strings.HasPrefix(detail, r.detail) {
			continue
		}
		if r.words == nil || containsAny(text, r.words) {
			return r.means
		}
	}
	return Bounce{Undetermined, Unknown}
}

func containsAny(text string, words []string) bool {
	for _, w := range words {
		if strings.Contains(text, w) {
			return true
		}
	}
	return false
}

// codes reads the reply code and the enhanced code that a reply begins with (RFC 5321 4.2, RFC 2034). Either may be
// missing; what tells more of where it comes from may stand before them.
func codes(text string) (code, enhanced string) {
	fields := strings.FieldsFunc(text, func(r rune) bool {
		return r == ' ' || r == '-' || r == '\t' || r == '#' || r == '<' || r == '>' || r == ';' || r == ':' || r == '(' || r == ')'
	})
	for _, f := range fields {
		switch {
		case code == "" && len(f) == 3 && (f[0] == '4' || f[0] == '5') && isDigits(f):
			code = f
		case validStatus(f) && f[0] != '2' && (code == "" || code[0] == f[0]):
			return code, f
		}
	}
	return code, ""
}

func isDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

// validStatus tells a status code (RFC 3463 2): class.subject.detail, with at most three digits each.
func validStatus(s string) bool {
	parts := strings.Split(s, ".")
	if len(parts) != 3 || parts[0] != "2" && parts[0] != "4" && parts[0] != "5" {
		return false
	}
	return len(parts[1]) <= 3 && len(parts[2]) <= 3 && isDigits(parts[1]) && isDigits(parts[2])
}
