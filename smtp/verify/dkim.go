package verify

import (
	"context"
	"encoding/base64"
	"slices"
	"strconv"
	"strings"
	"time"

	"podmail/mail"
)

// clockSkew is how far a signer's clock may be ahead of ours.
const clockSkew = 5 * time.Minute

// readSignatures reads the message's DKIM signatures. Those that cannot count are refused without a look at DNS.
func (c *Check) readSignatures() {
	for i, f := range c.header.named("dkim-signature") {
		if i >= maxSignatures {
			c.refused = append(c.refused, mail.DKIMResult{Result: mail.AuthPolicy, Fault: mail.FaultTooMany, Reason: "only the first " + strconv.Itoa(maxSignatures) + " signatures are verified"})
			break
		}
		s, wrong := readSignature(f)
		if wrong == nil {
			wrong = s.readMessageSignature()
		}
		if wrong == nil {
			wrong = s.checkForm(c.v.o.Clock.Now())
		}
		if wrong != nil {
			c.refused = append(c.refused, s.result(wrong))
			continue
		}
		c.signed = append(c.signed, s)
	}
}

// checkForm checks what DKIM alone wants of a signature (RFC 6376 6.1.1).
func (s *signature) checkForm(now time.Time) *fault {
	if v := s.tags["v"]; v != "1" {
		return permanent(mail.FaultVersion, "v=%s is no version that is known", printable(v, 10))
	}
	if !slices.Contains(s.signed, "from") {
		return permanent(mail.FaultUnsigned, "From is not signed")
	}
	if i := s.tags["i"]; i != "" && !mail.IsWithin(i[strings.LastIndexByte(i, '@')+1:], s.domain) {
		return permanent(mail.FaultDomain, "i= lies outside of d=")
	}
	at := map[string]time.Time{}
	for _, tag := range []string{"t", "x"} {
		if text, ok := s.tags[tag]; ok {
			n, err := strconv.ParseInt(text, 10, 64)
			if err != nil || n < 0 {
				return permanent(mail.FaultSyntax, "%s= is no time", tag)
			}
			at[tag] = time.Unix(n, 0)
		}
	}
	signed, expires := at["t"], at["x"]
	switch {
	case !signed.IsZero() && !expires.IsZero() && !expires.After(signed):
		return permanent(mail.FaultSyntax, "x= is not after t=")
	case signed.After(now.Add(clockSkew)):
		return failed(mail.FaultFuture, "it was signed in the future")
	case !expires.IsZero() && now.After(expires.Add(clockSkew)):
		return failed(mail.FaultExpired, "it expired at %s", expires.UTC().Format(time.RFC3339))
	}
	return nil
}

// verify tells what the signature is worth. Its key is there already, or found in vain.
func (s *signature) verify(h header, keys *keyring) mail.DKIMResult {
	key, wrong := keys.find(context.Background(), s)
	if wrong == nil && key.strict && s.tags["i"] != "" {
		if i := s.tags["i"]; !strings.EqualFold(i[strings.LastIndexByte(i, '@')+1:], s.domain) {
			wrong = permanent(mail.FaultDomain, "i= is in a subdomain of d=, which the key excludes")
		}
	}
	if wrong == nil {
		wrong = s.checkValue(s.signedFields(h), key)
	}
	if body := s.checkBody(); body != nil && (wrong == nil || wrong.kind == mail.FaultSignature) {
		wrong = body
	}
	return s.result(wrong)
}

func (s *signature) result(wrong *fault) mail.DKIMResult {
	r := mail.DKIMResult{Result: mail.AuthPass, Domain: printable(s.domain, 255), Selector: printable(s.selector, 255),
		Identity: printable(s.tags["i"], 320), Algorithm: printable(s.algorithm, 40)}
	if b := base64.StdEncoding.EncodeToString(s.value); len(b) >= 8 {
		r.Signature = b[:8]
	}
	if wrong != nil {
		r.Result, r.Fault, r.Reason = wrong.result, wrong.kind, wrong.reason
	}
	return r
}
