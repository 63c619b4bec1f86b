package compose

import (
	"encoding/base64"
	"slices"
	"strings"
	"unicode/utf8"

	"podmail/mail"
)

const (
	maxSubject = 4 << 10 // bytes that are written of a subject
	maxLine    = 900     // bytes of a folded line, well within the 998 of RFC 5322 2.1.1
	foldAt     = 76      // column from which lines are folded where they can be
)

func (w *writer) header(d *Draft) {
	w.print("Date: ", d.Date.UTC().Format("Mon, 02 Jan 2006 15:04:05 -0700"), "\r\n")
	w.print("From: ", addressList([]mail.Address{d.From}), "\r\n")
	bcc := d.Bcc
	if !d.Unsent {
		bcc = nil
	}
	for _, f := range []struct {
		name string
		list []mail.Address
	}{{"Reply-To", d.ReplyTo}, {"To", d.To}, {"Cc", d.Cc}, {"Bcc", bcc}} {
		if len(f.list) > 0 {
			w.print(f.name, ": ", addressList(f.list), "\r\n")
		}
	}
	if len(d.To)+len(d.Cc) == 0 && !d.Unsent { // only blind copies (RFC 5322 3.6.3)
		w.print("To: undisclosed-recipients:;\r\n")
	}
	w.print("Subject: ", unstructured(clip(d.Subject, maxSubject), len("Subject: ")), "\r\n", "Message-ID: ", d.MessageID, "\r\n")
	if d.InReplyTo != "" {
		w.print("In-Reply-To: ", d.InReplyTo, "\r\n")
	}
	if len(d.References) > 0 {
		w.print("References: ", strings.Join(d.References, "\r\n "), "\r\n")
	}
	names := make([]string, 0, len(d.Headers))
	for name := range d.Headers {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		w.print(name, ": ", unstructured(d.Headers[name], len(name)+2), "\r\n")
	}
	w.print("MIME-Version: 1.0\r\n")
}

// unstructured encodes and folds free text that begins in column col (RFC 5322 2.2.3, RFC 2047).
func unstructured(s string, col int) string {
	s = strings.ToValidUTF8(sanitize(s), "\uFFFD")
	if strings.ContainsFunc(s, func(r rune) bool { return r >= 0x7f || r < ' ' && r != '\t' }) || strings.Contains(s, "=?") {
		return encodedWords(s)
	}
	if folded, ok := fold(s, col); ok {
		return folded
	}
	return encodedWords(s)
}

// fold breaks lines before the space that words begin with, so that they stay within foldAt where they can. ok is
// false if a line is too long all the same.
func fold(s string, col int) (folded string, ok bool) {
	var b strings.Builder
	for s != "" {
		space := len(s) - len(strings.TrimLeft(s, " "))
		word := strings.IndexByte(s[space:], ' ')
		if word < 0 {
			word = len(s) - space
		}
		n := space + word
		if space > 0 && word > 0 && b.Len() > 0 && col+n > foldAt {
			b.WriteString("\r\n")
			col = 0
		}
		b.WriteString(s[:n])
		if col += n; col > maxLine {
			return "", false
		}
		s = s[n:]
	}
	return b.String(), true
}

// encodedWords writes text as encoded words of at most 75 characters, one on a line (RFC 2047 2), cutting no character.
func encodedWords(s string) string {
	var words []string
	for s != "" {
		word := clip(s, 45)
		words = append(words, "=?utf-8?B?"+base64.StdEncoding.EncodeToString([]byte(word))+"?=")
		s = s[len(word):]
	}
	return strings.Join(words, "\r\n ")
}

// clip returns the first n bytes of valid UTF-8, or a little less where that would cut a character.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// sanitize removes what would end a header line.
func sanitize(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\r' || r == '\n' || r == 0 {
			return -1
		}
		return r
	}, s)
}

// addressList writes addresses, one on a line.
func addressList(list []mail.Address) string {
	out := make([]string, len(list))
	for i, a := range list {
		out[i] = formatAddress(a)
	}
	return strings.Join(out, ",\r\n ")
}

func formatAddress(a mail.Address) string {
	spec := sanitize(a.Addr())
	name := strings.ToValidUTF8(sanitize(a.Name), "\uFFFD")
	switch {
	case name == "":
		return spec
	case strings.ContainsFunc(name, func(r rune) bool { return r >= 0x7f || r < ' ' }) || strings.Contains(name, "=?") || len(name) > 250:
		return encodedWords(name) + " <" + spec + ">"
	default:
		return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(name) + `" <` + spec + ">"
	}
}
