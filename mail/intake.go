package mail

// Intake is what was found out about a message that came in, and why it ended where it did.
type Intake struct {
	Placement      string          `json:"placement"` // the label that says where: received, blocked, unauthenticated or spam
	Reason         string          `json:"reason"`    // a sentence for people
	Cause          IntakeCause     `json:"-"`         // of the placement, for what is counted
	Authentication *Authentication `json:"authentication,omitempty"`
	Scan           *ScanResult     `json:"virus_scan,omitempty"` // nil: nobody was asked
	Filter         *FilterResult   `json:"rspamd,omitempty"`     // nil: nobody was asked
	Spam           *SpamScore      `json:"spam,omitempty"`       // nil: the pod was not taught enough, or the lists decided
	Forwarding     string          `json:"forwarding,omitempty"` // sentences for people: to whom it is handed on, or why not; empty: the inbox does not
}

// IntakeCause is what decided on a message that came in.
type IntakeCause string

// The causes.
const (
	ByNothing   IntakeCause = "none"      // it went where mail goes
	ByLists     IntakeCause = "list"      // an allow or block list
	ByScanner   IntakeCause = "clamav"    // the virus scanner
	ByGreylist  IntakeCause = "greylist"  // nobody knew the sender
	ByDNSLists  IntakeCause = "dnsbl"     // a block list in DNS
	ByDMARC     IntakeCause = "dmarc"     // the author's domain
	BySPF       IntakeCause = "spf"       // the sender's domain
	ByNoAuthor  IntakeCause = "no_author" // From, which does not say whose it is
	ByRspamd    IntakeCause = "rspamd"    // the spam filter of that name
	BySpamScore IntakeCause = "bayes"     // the pod's spam filter
	ByHops      IntakeCause = "loop"      // too many hosts
)

// ScanVerdict is what a virus scanner makes of a message.
type ScanVerdict string

// The verdicts.
const (
	ScanClean    ScanVerdict = "clean"
	ScanInfected ScanVerdict = "infected"
	ScanTooLarge ScanVerdict = "too_large" // the scanner does not take messages of that size
	ScanFailed   ScanVerdict = "failed"
)

// ScanResult is what a virus scanner found.
type ScanResult struct {
	Verdict ScanVerdict `json:"verdict"`
	Name    string      `json:"name,omitempty"` // of the virus
	Reason  string      `json:"reason,omitempty"`
}

// FilterResult is what rspamd thinks of a message.
type FilterResult struct {
	Action   string   `json:"action,omitempty"` // that it asks for; empty: it failed
	Score    float64  `json:"score"`
	Required float64  `json:"required"` // from which on it would reject
	Symbols  []string `json:"symbols,omitempty"`
	Failure  string   `json:"failure,omitempty"`
}

// SpamScore is what a pod's classifier thinks of a message, as it was taught.
type SpamScore struct {
	Score       float64    `json:"score"`     // from 0, wanted, to 1, unwanted
	Threshold   float64    `json:"threshold"` // from which on it is spam
	Words       []SpamWord `json:"words,omitempty"`
	LearnedSpam int64      `json:"learned_spam"` // messages
	LearnedHam  int64      `json:"learned_ham"`
}

// SpamWord is one of the words that decided.
type SpamWord struct {
	Word string  `json:"word"`
	Spam float64 `json:"spam"` // how likely a message with it is spam
}

// EventOf is the event of a message that was placed under a label.
func EventOf(placement string) EventType {
	switch placement {
	case LabelBlocked:
		return EventReceivedBlocked
	case LabelUnauthenticated:
		return EventReceivedUnauthenticated
	case LabelSpam:
		return EventReceivedSpam
	}
	return EventReceived
}
