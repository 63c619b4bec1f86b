package verify

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"podmail/mail"
)

// maxInstances is the longest chain (RFC 8617 4.2.1).
const maxInstances = 50

// arcSet is what one intermediary added (RFC 8617 4.2).
type arcSet struct {
	results       field
	message, seal *signature
}

// chain is a message's ARC sets by instance.
type chain struct {
	sets  []arcSet
	fault string // why it cannot be valid
}

// readChain gathers the sets and checks their form (RFC 8617 5.2 steps 1 to 3).
func readChain(h header) (c chain) {
	sets := map[int]*arcSet{}
	for _, f := range h {
		if !strings.HasPrefix(f.name, "arc-") {
			continue
		}
		if wrong := gather(sets, f); wrong != "" {
			return chain{fault: wrong}
		}
	}
	for i := 1; i <= len(sets); i++ {
		set := sets[i]
		if set == nil || set.results.raw == nil || set.message == nil || set.seal == nil {
			return chain{fault: fmt.Sprintf("instance %d is not complete", i)}
		}
		c.sets = append(c.sets, *set)
		want := "pass"
		if i == 1 {
			want = "none"
		}
		if cv := strings.ToLower(set.seal.tags["cv"]); cv != want {
			return chain{fault: fmt.Sprintf("instance %d says cv=%s", i, printable(cv, 20))}
		}
	}
	return c
}

// gather puts a field into its set.
func gather(sets map[int]*arcSet, f field) (wrong string) {
	switch f.name {
	case "arc-authentication-results", "arc-message-signature", "arc-seal":
	default:
		return ""
	}
	instance := instanceOf(f)
	if instance < 1 || instance > maxInstances {
		return f.name + " has no instance"
	}
	set := sets[instance]
	if set == nil {
		set = &arcSet{}
		sets[instance] = set
	}
	twice := fmt.Sprintf("instance %d has two fields %s", instance, f.name)
	if f.name == "arc-authentication-results" {
		if set.results.raw != nil {
			return twice
		}
		set.results = f
		return ""
	}
	s, fault := readSignature(f)
	if fault == nil && f.name == "arc-message-signature" {
		fault = s.readMessageSignature()
	}
	if fault != nil {
		return fmt.Sprintf("%s of instance %d: %s", f.name, instance, fault.reason)
	}
	if f.name == "arc-seal" {
		if _, has := s.tags["h"]; has { // RFC 8617 4.1.3
			return fmt.Sprintf("the seal of instance %d has h=", instance)
		}
		if set.seal != nil {
			return twice
		}
		s.relaxed, set.seal = true, s
		return ""
	}
	if set.message != nil {
		return twice
	}
	if slices.Contains(s.signed, "arc-seal") { // RFC 8617 4.1.2
		return fmt.Sprintf("the message signature of instance %d signs a seal", instance)
	}
	set.message = s
	return ""
}

// instanceOf reads i=, which is the first tag of ARC-Authentication-Results and any of the others.
func instanceOf(f field) int {
	for piece := range strings.SplitSeq(f.unfolded(), ";") {
		name, value, ok := strings.Cut(piece, "=")
		if ok && strings.TrimSpace(name) == "i" {
			n, err := strconv.Atoi(strings.TrimSpace(value))
			if err == nil {
				return n
			}
		}
		if f.name == "arc-authentication-results" {
			break
		}
	}
	return 0
}

// signatures are those that must be verified: the last message signature and every seal.
func (c *chain) signatures() (all []*signature) {
	for _, set := range c.sets {
		all = append(all, set.seal)
	}
	if n := len(c.sets); n > 0 {
		all = append(all, c.sets[n-1].message)
	}
	return all
}

// verify tells whether the chain holds (RFC 8617 5.2 steps 4 to 6).
func (c *chain) verify(h header, keys *keyring) mail.ARCResult {
	if c.fault != "" {
		return mail.ARCResult{Result: mail.AuthFail, Reason: c.fault}
	}
	if len(c.sets) == 0 {
		return mail.ARCResult{Result: mail.AuthNone}
	}
	var sealers []string
	for _, set := range c.sets {
		sealers = append(sealers, set.seal.domain)
	}
	broken := func(i int, what string, f *fault) mail.ARCResult {
		return mail.ARCResult{Result: mail.AuthFail, Sealers: sealers, Reason: fmt.Sprintf("%s of instance %d: %s", what, i, f.reason)}
	}
	last := len(c.sets)
	message := c.sets[last-1].message
	key, wrong := keys.find(context.Background(), message)
	if wrong == nil {
		wrong = message.checkValue(message.signedFields(h), key)
	}
	if body := message.checkBody(); body != nil && wrong == nil {
		wrong = body
	}
	if wrong != nil {
		return broken(last, "message signature", wrong)
	}
	for i := last; i >= 1; i-- {
		seal := c.sets[i-1].seal
		key, wrong := keys.find(context.Background(), seal)
		if wrong == nil {
			wrong = seal.checkValue(c.sealed(i), key)
		}
		if wrong != nil {
			return broken(i, "seal", wrong)
		}
	}
	return mail.ARCResult{Result: mail.AuthPass, Sealers: sealers, Origin: c.origin()}
}

// sealed is what the seal of an instance signs (RFC 8617 5.1.1).
func (c *chain) sealed(instance int) []byte {
	var out bytes.Buffer
	for i, set := range c.sets[:instance] {
		out.Write(canonicalField(set.results.raw, true))
		out.Write(canonicalField(set.message.field.raw, true))
		if i < instance-1 {
			out.Write(canonicalField(set.seal.field.raw, true))
		}
	}
	out.Write(c.sets[instance-1].seal.own())
	return out.Bytes()
}

// origin is what the first intermediary found of DMARC.
func (c *chain) origin() string {
	for _, result := range parseResults(c.sets[0].results.unfolded()) {
		if result.method == "dmarc" {
			return result.value
		}
	}
	return ""
}
