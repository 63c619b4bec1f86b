package mail

import (
	"net/netip"
	"strings"
)

// AuthResult is what one method of authentication found (RFC 8601 2.7, RFC 7208 2.6).
type AuthResult string

// The results.
const (
	AuthNone      AuthResult = "none"
	AuthPass      AuthResult = "pass"
	AuthFail      AuthResult = "fail"
	AuthSoftFail  AuthResult = "softfail"
	AuthNeutral   AuthResult = "neutral"
	AuthPolicy    AuthResult = "policy"
	AuthTempError AuthResult = "temperror"
	AuthPermError AuthResult = "permerror"
)

// Authentication is what was found out about who sent a message.
type Authentication struct {
	Remote      netip.Addr    `json:"remote"`
	HELO        string        `json:"helo,omitempty"`
	ReversePath string        `json:"mail_from,omitempty"` // empty: a bounce
	Reverse     ReverseResult `json:"reverse_dns"`
	HELOSPF     SPFResult     `json:"helo_spf"`
	SPF         SPFResult     `json:"spf"` // of the reverse-path; of a bounce: of the HELO name (RFC 7208 2.4)
	DKIM        []DKIMResult  `json:"dkim"`
	ARC         ARCResult     `json:"arc"`
	DMARC       DMARCResult   `json:"dmarc"`
	BlockLists  []ListedAt    `json:"dns_block_lists,omitempty"`
}

// ReverseResult tells whether the peer's address has a name that has the address (RFC 8601 2.7.3).
type ReverseResult struct {
	Result AuthResult `json:"result"`
	Name   string     `json:"name,omitempty"`
	Reason string     `json:"reason,omitempty"`
}

// SPFResult tells whether a domain lets the peer's address send (RFC 7208).
type SPFResult struct {
	Result      AuthResult `json:"result"`
	Domain      string     `json:"domain,omitempty"`
	Reason      string     `json:"reason,omitempty"`
	Explanation string     `json:"explanation,omitempty"` // the domain's own, if it says fail (RFC 7208 6.2)
}

// DKIMFault says what is wrong with a signature.
type DKIMFault string

// The faults.
const (
	FaultSyntax    DKIMFault = "syntax"              // the field cannot be read, or lacks what it must have
	FaultVersion   DKIMFault = "version"             // another version of DKIM
	FaultAlgorithm DKIMFault = "algorithm"           // none that may be used (RFC 8301 3.1)
	FaultUnsigned  DKIMFault = "from_not_signed"     // RFC 6376 5.4
	FaultDomain    DKIMFault = "domain_mismatch"     // i= lies outside d=
	FaultExpired   DKIMFault = "expired"             // x= has passed
	FaultFuture    DKIMFault = "signed_in_future"    // t= is to come
	FaultLength    DKIMFault = "body_length"         // l= leaves some of the body unsigned
	FaultBodyHash  DKIMFault = "body_hash_mismatch"  // the body was changed
	FaultSignature DKIMFault = "signature_mismatch"  // a signed field was changed, or another key signed
	FaultNoKey     DKIMFault = "no_key"              // nothing is published
	FaultRevoked   DKIMFault = "key_revoked"         // p= is empty
	FaultKeySyntax DKIMFault = "key_syntax"          // what is published cannot be read
	FaultKeyType   DKIMFault = "key_unsuitable"      // of another algorithm, or not for mail
	FaultWeakKey   DKIMFault = "key_too_short"       // RFC 8301 3.2
	FaultLookup    DKIMFault = "key_lookup_failed"   // nothing can be said yet
	FaultTooMany   DKIMFault = "too_many_signatures" // it was not looked at
)

// DKIMResult is what one signature is worth (RFC 6376).
type DKIMResult struct {
	Result    AuthResult `json:"result"`
	Domain    string     `json:"domain,omitempty"`
	Selector  string     `json:"selector,omitempty"`
	Identity  string     `json:"identity,omitempty"` // i=
	Algorithm string     `json:"algorithm,omitempty"`
	Signature string     `json:"signature,omitempty"` // the first characters of b= (RFC 6008)
	Fault     DKIMFault  `json:"fault,omitempty"`
	Reason    string     `json:"reason,omitempty"`
}

// ARCResult is what a chain of custody is worth (RFC 8617).
type ARCResult struct {
	Result  AuthResult `json:"result"`            // none, pass or fail
	Sealers []string   `json:"sealers,omitempty"` // domains, by instance
	Origin  string     `json:"origin,omitempty"`  // what the first of them found of DMARC, if the chain passes
	Reason  string     `json:"reason,omitempty"`
}

// DMARCPolicy is what a domain asks receivers to do (RFC 7489 6.3).
type DMARCPolicy string

// The policies.
const (
	PolicyNone       DMARCPolicy = "none"
	PolicyQuarantine DMARCPolicy = "quarantine"
	PolicyReject     DMARCPolicy = "reject"
)

// DMARCResult is what the domain of the author's address says of the message (RFC 7489).
type DMARCResult struct {
	Result  AuthResult  `json:"result"`
	From    string      `json:"from,omitempty"`    // domain of the From field
	Domain  string      `json:"domain,omitempty"`  // where the policy was found: From, or the organizational domain
	Policy  DMARCPolicy `json:"policy,omitempty"`  // that applies to From: p= or sp=
	Percent int         `json:"percent,omitempty"` // of the messages that fail, to which it is to be applied
	Sampled bool        `json:"sampled,omitempty"` // this one is not of them: the next milder policy holds
	SPF     bool        `json:"spf_aligned"`
	DKIM    bool        `json:"dkim_aligned"`
	Reason  string      `json:"reason,omitempty"`
	Record  string      `json:"-"` // what Domain publishes, for reports
}

// Asks is what the domain asks to be done with this very message: nothing unless it fails (RFC 7489 6.6.4).
func (d *DMARCResult) Asks() DMARCPolicy {
	switch {
	case d.Result != AuthFail || d.Policy == "":
		return PolicyNone
	case !d.Sampled:
		return d.Policy
	case d.Policy == PolicyReject:
		return PolicyQuarantine
	}
	return PolicyNone
}

// NoAuthor tells that the message does not say whose it is so that a policy can be found: no From field or several, one
// without a domain or with something that cannot be read, too many authors, or a header too long to see them all.
func (d *DMARCResult) NoAuthor() bool { return d.Result == AuthPermError && d.From == "" }

// ListedAt is a DNS block list that has the peer's address (RFC 5782).
type ListedAt struct {
	Zone   string `json:"zone"`
	Reason string `json:"reason,omitempty"`
}

// Signed tells whether a valid signature is from the domain or one above or below it.
func (a *Authentication) Signed(domain string) bool {
	for _, d := range a.DKIM {
		if d.Result == AuthPass && (IsWithin(d.Domain, domain) || IsWithin(domain, d.Domain)) {
			return true
		}
	}
	return false
}

// IsWithin tells whether a domain is another or lies below it.
func IsWithin(domain, parent string) bool {
	domain, parent = strings.ToLower(domain), strings.ToLower(parent)
	return domain == parent || parent != "" && strings.HasSuffix(domain, "."+parent)
}
