package sign

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"podmail/mail"
)

// maxSets is how many hosts may seal a message (RFC 8617 4.2.1).
const maxSets = 50

// ErrSealed is why a message is not sealed: its chain is broken or as long as it may be, and who is next can see that.
var ErrSealed = errors.New("the ARC chain cannot be continued")

// Sealer seals one message that is handed on (RFC 8617 5.1). It is written the message as a Signer is.
type Sealer struct {
	intake
	seal mail.Seal
	body *relaxedBody
}

// NewSealer returns a Sealer for one message.
func NewSealer(seal mail.Seal) *Sealer {
	s := &Sealer{seal: seal, body: newRelaxedBody()}
	s.begin = func([]byte) (io.Writer, error) { return s.body, nil }
	return s
}

// Fields returns the three fields of an ARC set, to be put on top of the message, below what signs it.
func (s *Sealer) Fields() ([]byte, error) {
	fields, err := s.finish()
	if err != nil {
		return nil, err
	}
	sets, err := chainOf(fields)
	if err != nil {
		return nil, err
	}
	n := len(sets) + 1
	if n > maxSets || len(sets) > 0 && tag(sets[n-2].seal, "cv") == "fail" || (s.seal.Chain == mail.AuthNone) != (len(sets) == 0) && s.seal.Chain != mail.AuthFail {
		return nil, fmt.Errorf("%w: %d seals, found %s", ErrSealed, len(sets), s.seal.Chain)
	}
	results := fmt.Sprintf("ARC-Authentication-Results: i=%d; %s;\r\n\t%s\r\n", n, s.seal.AuthservID, foldResults(s.seal.Results))
	signature, err := s.messageSignature(fmt.Sprintf("i=%d", n), fields, sealed(fields))
	if err != nil {
		return nil, fmt.Errorf("ARC key %s of %s: %w", s.seal.Key.Selector, s.seal.Key.Domain, err)
	}
	var covered []field
	if s.seal.Chain != mail.AuthFail { // RFC 8617 5.1.2
		for _, set := range sets {
			covered = append(covered, set.results, set.signature, set.seal)
		}
	}
	covered = append(covered, field{"arc-authentication-results", []byte(results)}, field{"arc-message-signature", signature})
	algorithm, err := algorithmOf(s.seal.Key.Signer)
	if err != nil {
		return nil, err
	}
	tags := []string{fmt.Sprintf("i=%d", n), "a=" + algorithm, fmt.Sprintf("t=%d", s.seal.At.Unix()), "cv=" + string(s.seal.Chain), "d=" + s.seal.Key.Domain, "s=" + s.seal.Key.Selector}
	out, err := seal("ARC-Seal", tags, covered, s.seal.Key.Signer)
	if err != nil {
		return nil, fmt.Errorf("ARC key %s of %s: %w", s.seal.Key.Selector, s.seal.Key.Domain, err)
	}
	return append(append(out, signature...), results...), nil
}

// set is what one host has sealed.
type set struct{ results, signature, seal field }

// chainOf finds the sets of a message, the oldest first: each whole, none twice (RFC 8617 5.2).
func chainOf(fields []field) ([]set, error) {
	var found [maxSets + 1]set
	highest := 0
	for _, f := range fields {
		if !strings.HasPrefix(f.name, "arc-") {
			continue
		}
		var n int
		if _, err := fmt.Sscanf(tag(f, "i"), "%d", &n); err != nil || n < 1 || n > maxSets {
			return nil, fmt.Errorf("%w: a field without its place", ErrSealed)
		}
		slot := map[string]*field{"arc-authentication-results": &found[n].results, "arc-message-signature": &found[n].signature, "arc-seal": &found[n].seal}[f.name]
		if slot == nil {
			continue
		}
		if slot.name != "" {
			return nil, fmt.Errorf("%w: two fields for one place", ErrSealed)
		}
		*slot = f
		highest = max(highest, n)
	}
	sets := found[1 : highest+1]
	for _, s := range sets {
		if s.results.name == "" || s.signature.name == "" || s.seal.name == "" {
			return nil, fmt.Errorf("%w: a set is not whole", ErrSealed)
		}
	}
	return sets, nil
}

// tag is the value of a tag of a field, white space removed.
func tag(f field, name string) string {
	_, value, _ := strings.Cut(string(f.raw), ":")
	for part := range strings.SplitSeq(value, ";") {
		if n, v, ok := strings.Cut(part, "="); ok && strings.TrimSpace(n) == name {
			return strings.Join(strings.Fields(v), "")
		}
	}
	return ""
}

// sealed is the list of fields that an ARC-Message-Signature signs: also the DKIM signatures that others have put there,
// and none of ARC's own (RFC 8617 4.1.2).
func sealed(fields []field) (names []string) {
	count := map[string]int{}
	for _, f := range fields {
		count[f.name]++
	}
	for _, list := range [][]string{oversigned, signed, {"dkim-signature"}} {
		for _, name := range list {
			for range count[name] {
				names = append(names, name)
			}
		}
	}
	return names
}

// foldResults puts each result on a line of its own. What it quotes of others has no line breaks.
func foldResults(results string) string {
	results = strings.Join(strings.Fields(results), " ")
	return strings.ReplaceAll(results, "; ", ";\r\n\t")
}
