package mail

import (
	"crypto"
	"io"
	"net/netip"
	"time"
)

// Transfer is a message on its way to another host, for some of its recipients, all of one destination.
type Transfer struct {
	TraceID     string
	ReversePath string // empty: a bounce
	Destination string // a domain in ASCII, or an address literal in its brackets (RFC 5321 4.1.3)
	Recipients  []TransferRecipient
	Message     io.ReaderAt // as it is stored; what signs it writes fields on top of it
	Size        int64
	Keys        []SigningKey // that sign it; none: it goes as it is
	Seal        *Seal        // that it gets since it is handed on; nil: none
	RequireTLS  bool         // RFC 8689: rather not at all than without verified TLS
	AnyTLS      bool         // RFC 8460 3: the destination's TLS policies do not count, since the message tells of them
	EnvelopeID  string       // RFC 3461 4.4, without its xtext
	Return      string       // RFC 3461 4.3: FULL, HDRS, or empty
	HELO        string       // our name
	Source      netip.Addr   // to connect from; the zero Addr: any
	Relay       *Relay       // nil: the destination's own hosts
}

// TransferRecipient is one recipient of a Transfer with what its sender asked for (RFC 3461).
type TransferRecipient struct {
	Address           string
	Notify            string // NEVER, or some of SUCCESS,FAILURE,DELAY; empty: as usual
	OriginalRecipient string // rfc822;xtext
}

// SigningKey signs mail of a domain (RFC 6376 3.5: d=, s=, and the key behind them).
type SigningKey struct {
	Domain   string
	Selector string
	Signer   crypto.Signer // *rsa.PrivateKey or ed25519.PrivateKey
}

// Seal is what an ARC set tells of a message that is handed on (RFC 8617).
type Seal struct {
	Key        SigningKey
	AuthservID string     // who found the results
	Results    string     // when the message came, as in Authentication-Results after the authserv-id (RFC 8601)
	Chain      AuthResult // what the seals on it were worth: none, pass or fail
	At         time.Time
}

// TransferResult is what became of one recipient of a Transfer.
type TransferResult struct {
	Recipient string
	Failure   TransferFailure // empty: the host has taken the message
	Permanent bool            // trying again is of no use
	Personal  bool            // of a host's refusal: it is of this recipient, and not of who we are, of the sender or of the message
	Code      int             // of the host's final reply; 0: there was none
	Enhanced  string          // RFC 3463, of the reply or of our own making
	Text      string          // the reply verbatim, lines joined by LF; or what went wrong
	Host      string          // that said so: its name and address; empty: none was reached
	TLS       string          // version and cipher, and how the host was verified; empty: plain text
	RemoteDSN bool            // the host sends notifications itself if they are asked for (it offers DSN)
}

// TransferFailure is where a transfer broke off.
type TransferFailure string

// The failures. How soon it is tried again depends on them.
const (
	TransferDNS        TransferFailure = "dns"        // the destination or its hosts could not be looked up, or take no mail
	TransferConnection TransferFailure = "connection" // no host could be reached, or none stayed
	TransferTLS        TransferFailure = "tls"        // a policy insists on TLS that the hosts do not have
	TransferReply      TransferFailure = "reply"      // the host refused
	TransferContent    TransferFailure = "content"    // the host cannot take what the message needs
)
