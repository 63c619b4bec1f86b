package verify

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"podmail/mail"
)

// fault is why a signature is worth nothing.
type fault struct {
	result mail.AuthResult
	kind   mail.DKIMFault
	reason string
}

func (f *fault) Error() string { return f.reason }

func permanent(kind mail.DKIMFault, format string, args ...any) *fault {
	return &fault{mail.AuthPermError, kind, fmt.Sprintf(format, args...)}
}

func failed(kind mail.DKIMFault, format string, args ...any) *fault {
	return &fault{mail.AuthFail, kind, fmt.Sprintf(format, args...)}
}

// tags are those of a tag=value list (RFC 6376 3.2).
type tags map[string]string

// readTags reads a list. A name that stands twice makes it invalid.
func readTags(s string) (tags, error) {
	t := tags{}
	for piece := range strings.SplitSeq(s, ";") {
		if strings.TrimSpace(piece) == "" {
			continue
		}
		name, value, ok := strings.Cut(piece, "=")
		name = strings.TrimSpace(name)
		if !ok || !isTagName(name) {
			return nil, errors.New("a tag has no name or no value")
		}
		if _, twice := t[name]; twice {
			return nil, fmt.Errorf("%s= stands twice", name)
		}
		t[name] = strings.TrimSpace(value)
	}
	return t, nil
}

func isTagName(s string) bool {
	for i, c := range []byte(s) {
		letter := 'a' <= c|0x20 && c|0x20 <= 'z'
		if !letter && (i == 0 || c != '_' && (c < '0' || c > '9')) {
			return false
		}
	}
	return s != ""
}

// list is a value's parts between colons, without the white space around them.
func list(value string) (parts []string) {
	for part := range strings.SplitSeq(value, ":") {
		parts = append(parts, strings.TrimSpace(part))
	}
	return parts
}

// decode undoes base64, in which white space may stand anywhere.
func decode(value string) ([]byte, error) {
	return base64.StdEncoding.DecodeString(strings.Join(strings.Fields(value), ""))
}

// signature is what DKIM-Signature, ARC-Message-Signature and ARC-Seal have in common.
type signature struct {
	field       field
	tags        tags
	algorithm   string
	value       []byte // b=
	bodyHash    []byte // bh=; nil: the body is not signed
	domain      string
	selector    string
	signed      []string // h=
	relaxed     bool     // header canonicalization
	relaxedBody bool
	length      int64 // l=; -1: none
	body        *bodyHash

	expires time.Time  // x=, of DKIM
	trial   *trial     // before go-msgauth, of DKIM; nil: it is ours to verify
	key     *publicKey // that trial was given
	wrong   *fault     // that trial found
}

// readSignature reads what every signature has.
func readSignature(f field) (*signature, *fault) {
	s := &signature{field: f, length: -1}
	var err error
	if s.tags, err = readTags(f.unfolded()); err != nil {
		return s, permanent(mail.FaultSyntax, "%v", err)
	}
	s.domain, s.selector, s.algorithm = strings.ToLower(s.tags["d"]), strings.ToLower(s.tags["s"]), strings.ToLower(s.tags["a"])
	if s.algorithm != "rsa-sha256" && s.algorithm != "ed25519-sha256" { // RFC 8301 3.1, RFC 8463
		return s, permanent(mail.FaultAlgorithm, "the algorithm %q is none that may be used", printable(s.algorithm, 40))
	}
	if !mail.ValidDomain(s.domain) || !validSelector(s.selector) {
		return s, permanent(mail.FaultSyntax, "d= or s= is no name")
	}
	if s.value, err = decode(s.tags["b"]); err != nil || len(s.value) == 0 {
		return s, permanent(mail.FaultSyntax, "b= cannot be read")
	}
	return s, nil
}

// validSelector allows the underscore, which domains of keys have.
func validSelector(s string) bool { return mail.ValidDomain(strings.ReplaceAll(s, "_", "x")) }

// readMessageSignature reads what a signature of the message has besides.
func (s *signature) readMessageSignature() *fault {
	var err error
	if s.bodyHash, err = decode(s.tags["bh"]); err != nil || len(s.bodyHash) != sha256.Size {
		s.bodyHash = nil
		return permanent(mail.FaultSyntax, "bh= cannot be read")
	}
	s.signed = list(strings.ToLower(s.tags["h"]))
	head, body, _ := strings.Cut(strings.ToLower(s.tags["c"]), "/") // RFC 6376 3.5: simple, where nothing is said
	for _, form := range []struct {
		name    string
		relaxed *bool
	}{{head, &s.relaxed}, {body, &s.relaxedBody}} {
		switch strings.TrimSpace(form.name) {
		case "relaxed":
			*form.relaxed = true
		case "simple", "":
		default:
			return permanent(mail.FaultSyntax, "c= names no canonical form")
		}
	}
	if l, ok := s.tags["l"]; ok {
		if s.length, err = strconv.ParseInt(l, 10, 64); err != nil || s.length < 0 {
			s.length = -1
			return permanent(mail.FaultSyntax, "l= is no length")
		}
	}
	for _, q := range list(s.tags["q"]) {
		if q == "" || q == "dns/txt" {
			return nil
		}
	}
	return permanent(mail.FaultSyntax, "q= names no way to the key")
}

// checkBody compares the body with what was signed.
func (s *signature) checkBody() *fault {
	switch {
	case subtle.ConstantTimeCompare(s.body.final, s.bodyHash) != 1:
		return failed(mail.FaultBodyHash, "the body is not what was signed")
	case s.length > s.body.size:
		return failed(mail.FaultBodyHash, "the body is shorter than what was signed")
	case s.length >= 0 && s.length < s.body.size: // RFC 6376 8.2
		return &fault{mail.AuthPolicy, mail.FaultLength, fmt.Sprintf("%d bytes of the body are not signed", s.body.size-s.length)}
	}
	return nil
}

// signedFields is the header as a message signature signs it (RFC 6376 3.7, 5.4.2): of fields of one name the last
// first.
func (s *signature) signedFields(h header) []byte {
	var out []byte
	left := map[string][]field{}
	for _, name := range s.signed {
		fields, seen := left[name]
		if !seen {
			fields = h.named(name)
		}
		if n := len(fields); n > 0 {
			out = append(out, canonicalField(fields[n-1].raw, s.relaxed)...)
			fields = fields[:n-1]
		}
		left[name] = fields
	}
	return append(out, s.own()...)
}

// own is the signature's field as it signs itself: without its value and the line break at its end.
func (s *signature) own() []byte {
	colon := bytes.IndexByte(s.field.raw, ':')
	out := bytes.Clone(s.field.raw[:colon+1])
	for i, piece := range bytes.Split(s.field.raw[colon+1:], []byte(";")) {
		if i > 0 {
			out = append(out, ';')
		}
		if name, _, ok := bytes.Cut(piece, []byte("=")); ok && string(bytes.TrimSpace(name)) == "b" {
			piece = piece[:len(name)+1]
		}
		out = append(out, piece...)
	}
	return bytes.TrimSuffix(canonicalField(append(bytes.TrimRight(out, "\r\n"), "\r\n"...), s.relaxed), []byte("\r\n"))
}

// checkValue verifies what was signed with the signature's key.
func (s *signature) checkValue(signed []byte, k *publicKey) *fault {
	sum := sha256.Sum256(signed)
	ok := false
	switch key := k.key.(type) {
	case *rsa.PublicKey:
		if s.algorithm != "rsa-sha256" {
			return permanent(mail.FaultKeyType, "the key is RSA, the signature is not")
		}
		ok = rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:], s.value) == nil
	case ed25519.PublicKey: // RFC 8463 3
		if s.algorithm != "ed25519-sha256" {
			return permanent(mail.FaultKeyType, "the key is Ed25519, the signature is not")
		}
		ok = ed25519.Verify(key, sum[:], s.value)
	}
	if !ok {
		return failed(mail.FaultSignature, "a signed field was changed, or another key signed")
	}
	return nil
}
