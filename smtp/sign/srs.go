package sign

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"
	"errors"
	"strings"
	"time"
)

const (
	srsDays   = 21   // for which bounces find their way back
	srsCycle  = 1024 // days, after which a stamp comes again
	srsDigits = 8    // of the hash
)

var srsText = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// ErrSRS is why an address is not turned back: it is none of ours, or too old.
var ErrSRS = errors.New("no SRS address of ours")

// SRS rewrites the reverse paths of mail that is handed on, so that it comes from a domain that may send it (SPF), and
// turns the addresses of bounces back (Sender Rewriting Scheme).
type SRS struct {
	Secret []byte
	Domain string // ours
}

// Forward returns the reverse path under which mail from sender is handed on. The empty one stays empty.
func (s SRS) Forward(sender string, now time.Time) string {
	at := strings.LastIndexByte(sender, '@')
	if at < 0 || strings.EqualFold(sender[at+1:], s.Domain) {
		return sender
	}
	local, domain := sender[:at], sender[at+1:]
	if rest, ok := cutSRS(local, "SRS0"); ok { // rewritten by another before: bounces go to him at once
		return s.second(domain, rest)
	}
	if rest, ok := cutSRS(local, "SRS1"); ok {
		if _, rest, ok := strings.Cut(rest[1:], "="); ok { // his hash means nothing to us
			if first, rest, ok := strings.Cut(rest, "="); ok {
				return s.second(first, rest)
			}
		}
	}
	stamp := stampOf(day(now))
	return "SRS0=" + s.hash(stamp, domain, local) + "=" + stamp + "=" + domain + "=" + local + "@" + s.Domain
}

// second is the address that points past us to who rewrote first. rest is what he wrote after SRS0.
func (s SRS) second(first, rest string) string {
	return "SRS1=" + s.hash(first, rest) + "=" + first + "=" + rest + "@" + s.Domain
}

// Reverse turns the local part of an address that Forward made back into where a bounce is to go.
func (s SRS) Reverse(local string, now time.Time) (string, error) {
	if rest, ok := cutSRS(local, "SRS0"); ok {
		parts := strings.SplitN(rest[1:], "=", 4)
		if len(parts) != 4 || !s.is(parts[0], parts[1], parts[2], parts[3]) || !isFresh(parts[1], now) {
			return "", ErrSRS
		}
		return parts[3] + "@" + parts[2], nil
	}
	if rest, ok := cutSRS(local, "SRS1"); ok {
		parts := strings.SplitN(rest[1:], "=", 3)
		if len(parts) != 3 || !s.is(parts[0], parts[1], parts[2]) {
			return "", ErrSRS
		}
		return "SRS0" + parts[2] + "@" + parts[1], nil
	}
	return "", ErrSRS
}

// cutSRS cuts the tag off a local part, in any case; rest begins with the separator, one of = + -.
func cutSRS(local, tag string) (rest string, ok bool) {
	if len(local) <= len(tag) || !strings.EqualFold(local[:len(tag)], tag) || !strings.ContainsRune("=+-", rune(local[len(tag)])) {
		return "", false
	}
	return local[len(tag):], true
}

// hash binds parts of an address to our secret. Case does not count: others may change it.
func (s SRS) hash(parts ...string) string {
	mac := hmac.New(sha256.New, s.Secret)
	for _, p := range parts {
		mac.Write([]byte(strings.ToLower(p) + "\x00"))
	}
	return srsText.EncodeToString(mac.Sum(nil))[:srsDigits]
}

func (s SRS) is(hash string, parts ...string) bool {
	return subtle.ConstantTimeCompare([]byte(strings.ToLower(hash)), []byte(s.hash(parts...))) == 1
}

func day(now time.Time) int { return int(now.Unix()/(24*60*60)) % srsCycle }

// stampOf writes a day in two characters.
func stampOf(day int) string {
	const digits = "abcdefghijklmnopqrstuvwxyz234567"
	return string([]byte{digits[day>>5&31], digits[day&31]})
}

func isFresh(stamp string, now time.Time) bool {
	for back := range srsDays + 1 {
		if strings.EqualFold(stamp, stampOf((day(now)-back+srsCycle)%srsCycle)) {
			return true
		}
	}
	return false
}
