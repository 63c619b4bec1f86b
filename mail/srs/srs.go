// Package srs rewrites the reverse-paths of mail that is handed on, so that it comes from a domain that may send it (SPF),
// and turns the addresses of bounces back (Sender Rewriting Scheme). Secret and time are handed in.
package srs

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"
	"errors"
	"strconv"
	"strings"
	"time"
)

const (
	life   = 21   // days, for which bounces find their way back
	cycle  = 1024 // days, after which a stamp comes again
	digits = 8    // of the hash
)

var text = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// ErrForeign is why an address is not turned back: it is none of ours, or too old.
var ErrForeign = errors.New("no SRS address of ours")

// Rewriter rewrites reverse-paths. Its secret makes sure that nobody else can have us write to whom he likes.
type Rewriter struct {
	Secret []byte
	Domain string // ours
}

// Forward returns the reverse-path under which mail from sender is handed on by somebody, whom a number stands for. The
// empty one stays empty, and so does one of our domain.
func (s Rewriter) Forward(sender string, by int64, now time.Time) string {
	at := strings.LastIndexByte(sender, '@')
	if at < 0 || strings.EqualFold(sender[at+1:], s.Domain) {
		return sender
	}
	local, domain := sender[:at], sender[at+1:]
	if rest, ok := cut(local, "SRS0"); ok { // rewritten by another before: bounces go to him at once
		return s.second(by, domain, rest)
	}
	if rest, ok := cut(local, "SRS1"); ok {
		if _, rest, ok := strings.Cut(rest[1:], "="); ok { // his hash means nothing to us
			if first, rest, ok := strings.Cut(rest, "="); ok {
				return s.second(by, first, rest)
			}
		}
	}
	stamp := stampOf(day(now))
	return "SRS0=" + s.hash(by, stamp, domain, local) + "=" + stamp + "=" + domain + "=" + local + "@" + s.Domain
}

// second is the address that points past us to who rewrote first. rest is what he wrote after SRS0.
func (s Rewriter) second(by int64, first, rest string) string {
	return "SRS1=" + s.hash(by, first, rest) + "=" + first + "=" + rest + "@" + s.Domain
}

// Reverse turns the local part of an address that Forward made back into where a bounce is to go, and who handed the mail
// on. ErrForeign if it cannot.
func (s Rewriter) Reverse(local string, now time.Time) (sender string, by int64, err error) {
	if rest, ok := cut(local, "SRS0"); ok {
		parts := strings.SplitN(rest[1:], "=", 4)
		if len(parts) == 4 && isFresh(parts[1], now) {
			by, err = s.check(parts[0], parts[1], parts[2], parts[3])
			return parts[3] + "@" + parts[2], by, err
		}
	}
	if rest, ok := cut(local, "SRS1"); ok {
		parts := strings.SplitN(rest[1:], "=", 3)
		if len(parts) == 3 {
			by, err = s.check(parts[0], parts[1], parts[2])
			return "SRS0" + parts[2] + "@" + parts[1], by, err
		}
	}
	return "", 0, ErrForeign
}

// cut cuts the tag off a local part, in any case; rest begins with the separator, one of = + -.
func cut(local, tag string) (rest string, ok bool) {
	if len(local) <= len(tag) || !strings.EqualFold(local[:len(tag)], tag) || !strings.ContainsRune("=+-", rune(local[len(tag)])) {
		return "", false
	}
	return local[len(tag):], true
}

// hash binds parts of an address to our secret, and tells who handed the mail on: the number follows the hash itself. Case
// does not count: others may change it.
func (s Rewriter) hash(by int64, parts ...string) string {
	number := strconv.FormatInt(by, 36)
	mac := hmac.New(sha256.New, s.Secret)
	mac.Write([]byte(number + "\x00"))
	for _, p := range parts {
		mac.Write([]byte(strings.ToLower(p) + "\x00"))
	}
	return text.EncodeToString(mac.Sum(nil))[:digits] + number
}

// check tells who handed mail on under a hash. ErrForeign if that is not the hash of the parts.
func (s Rewriter) check(hash string, parts ...string) (by int64, err error) {
	hash = strings.ToLower(hash)
	if by, err = strconv.ParseInt(hash[min(digits, len(hash)):], 36, 64); err != nil || subtle.ConstantTimeCompare([]byte(hash), []byte(s.hash(by, parts...))) != 1 {
		return 0, ErrForeign
	}
	return by, nil
}

func day(now time.Time) int { return int(now.Unix()/(24*60*60)) % cycle }

// stampOf writes a day in two characters.
func stampOf(day int) string {
	const alphabet = "abcdefghijklmnopqrstuvwxyz234567"
	return string([]byte{alphabet[day>>5&31], alphabet[day&31]})
}

func isFresh(stamp string, now time.Time) bool {
	for back := range life + 1 {
		if strings.EqualFold(stamp, stampOf((day(now)-back+cycle)%cycle)) {
			return true
		}
	}
	return false
}
