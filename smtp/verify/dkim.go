package verify

import (
	"bytes"
	"context"
	"encoding/base64"
	"slices"
	"strconv"
	"strings"
	"time"

	"podmail/mail"
)

const (
	clockSkew = 5 * time.Minute // that a signer's clock may be off ours
	maxNamed  = 500             // fields that h= may name: go-msgauth looks for each among all
	maxFolds  = 1000            // lines of a field that is signed: go-msgauth copies all before each
)

// readSignatures reads the message's DKIM signatures. Those that cannot count are refused without a look at DNS.
func (c *Check) readSignatures() {
	now := c.v.o.Clock.Now()
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
			wrong = s.checkTimes(now)
		}
		if wrong == nil {
			wrong = s.checkCost(c.header)
		}
		if wrong != nil {
			c.refused = append(c.refused, s.result(wrong))
			continue
		}
		if !s.isBeyond(now) {
			s.trial = c.try(s)
			c.trials = append(c.trials, s.trial)
		}
		c.signed = append(c.signed, s)
	}
}

// checkTimes checks when the signature was made and how long it holds (RFC 6376 6.1.1): go-msgauth lets any t= pass, and
// knows neither our clock nor that others' are off.
func (s *signature) checkTimes(now time.Time) *fault {
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
	s.expires = expires
	return nil
}

// checkCost refuses headers that would keep go-msgauth busy.
func (s *signature) checkCost(h header) *fault {
	if len(s.signed) > maxNamed {
		return permanent(mail.FaultSyntax, "h= names more than %d fields", maxNamed)
	}
	for _, f := range append(s.selected(h), s.field) {
		if bytes.Count(f.raw, []byte("\n")) > maxFolds {
			return permanent(mail.FaultSyntax, "%s, which is signed, has more than %d lines", printable(f.name, 100), maxFolds)
		}
	}
	return nil
}

// isBeyond tells whether go-msgauth has no answer to a signature that may well hold, so that it is verified as those of
// ARC are: it refuses every l=, capitals in tags that have none, and x= to the second; and it takes any b= for the
// signature's, wherever it stands.
func (s *signature) isBeyond(now time.Time) bool {
	if s.tags["v"] != "1" || !slices.Contains(s.signed, "from") || !s.ownsIdentity() {
		return false // it says what is wrong
	}
	for name, value := range s.tags {
		if name == "l" || strings.HasSuffix(name, "b") && name != "b" || name != "b" && holdsB(value) {
			return true
		}
	}
	i, d := s.tags["i"], s.tags["d"]
	return s.tags["a"] != s.algorithm || s.tags["c"] != strings.ToLower(s.tags["c"]) ||
		i != "" && !strings.HasSuffix(i, "@"+d) && !strings.HasSuffix(i, "."+d) || !s.expires.IsZero() && !s.expires.After(now.Add(clockSkew))
}

// holdsB finds b= in a value.
func holdsB(value string) bool {
	for piece := range strings.SplitAfterSeq(value, "=") {
		if before, ok := strings.CutSuffix(piece, "="); ok && strings.HasSuffix(strings.TrimRight(before, " \t\r\n"), "b") {
			return true
		}
	}
	return false
}

// identityDomain is the domain of i=, which is d= where nothing is said.
func (s *signature) identityDomain() string {
	i, ok := s.tags["i"]
	if !ok || i == "" {
		return s.domain
	}
	return i[strings.LastIndexByte(i, '@')+1:]
}

func (s *signature) ownsIdentity() bool { return mail.IsWithin(s.identityDomain(), s.domain) }

// verify tells what the signature is worth. Its key is there already, or found in vain.
func (s *signature) verify(h header, keys *keyring) mail.DKIMResult {
	key, wrong := s.key, s.wrong
	if s.trial == nil {
		if key, wrong = keys.find(context.Background(), s); wrong == nil {
			wrong = s.checkValue(s.signedFields(h), key)
		}
		if body := s.checkBody(); body != nil && (wrong == nil || wrong.kind == mail.FaultSignature) {
			wrong = body
		}
	}
	if key != nil && key.strict && !strings.EqualFold(s.identityDomain(), s.domain) { // t=s, of which go-msgauth takes no notice
		wrong = permanent(mail.FaultDomain, "i= is in a subdomain of d=, which the key excludes")
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
