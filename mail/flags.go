package mail

import (
	"fmt"
	"slices"
	"strings"
)

// This file is the one table between IMAP's words and labels: flags and keywords here, folders in Place.

// IMAP's system flags (RFC 9051 2.3.2) and the keyword that has a label of its own (RFC 9051, RFC 5788).
const (
	FlagSeen      = `\Seen`
	FlagAnswered  = `\Answered`
	FlagFlagged   = `\Flagged`
	FlagDeleted   = `\Deleted`
	FlagDraft     = `\Draft`
	FlagForwarded = "$Forwarded"
)

var flagLabels = []struct{ flag, label string }{
	{FlagAnswered, LabelReplied},
	{FlagFlagged, LabelStarred},
	{FlagDeleted, LabelDeleted},
	{FlagDraft, LabelDraft},
	{FlagForwarded, LabelForwarded},
}

// foldersOnly are labels that show as the folder that a message is in, never as a keyword.
var foldersOnly = []string{LabelReceived, LabelSent, LabelSpam, LabelTrash, LabelArchive}

// Flags renders labels as IMAP flags and keywords. here is the label of the mailbox they are shown in, which is not
// repeated as a keyword. unread is the absence of \Seen.
func Flags(labels []string, here string) []string {
	flags := make([]string, 0, len(labels)+1)
	seen := true
next:
	for _, l := range labels {
		if l == LabelUnread {
			seen = false
			continue
		}
		for _, fl := range flagLabels {
			if fl.label == l {
				flags = append(flags, fl.flag)
				continue next
			}
		}
		if l != here && !slices.Contains(foldersOnly, l) {
			flags = append(flags, encodeKeyword(l))
		}
	}
	if seen {
		flags = append(flags, FlagSeen)
	}
	return flags
}

// FlagChange turns IMAP flags to set and to clear into labels to add and to remove. Flags that a client cannot set
// (\Recent, labels of the system, labels that are folders) are left out.
func FlagChange(set, clear []string) (add, remove []string) {
	for _, f := range set {
		if strings.EqualFold(f, FlagSeen) {
			remove = append(remove, LabelUnread)
		} else if l, ok := flagLabel(f); ok {
			add = append(add, l)
		}
	}
	for _, f := range clear {
		if strings.EqualFold(f, FlagSeen) {
			add = append(add, LabelUnread)
		} else if l, ok := flagLabel(f); ok {
			remove = append(remove, l)
		}
	}
	return add, remove
}

// flagLabel is the label that an IMAP flag or keyword stands for. For \Seen and for what no client may set ok is false.
func flagLabel(flag string) (label string, ok bool) {
	for _, fl := range flagLabels {
		if strings.EqualFold(fl.flag, flag) {
			return fl.label, fl.label != LabelDraft // \Draft is the Drafts folder's
		}
	}
	if strings.HasPrefix(flag, `\`) {
		return "", false
	}
	label, err := NormalizeLabel(decodeKeyword(flag))
	if err != nil || label == LabelUnread || SystemLabel(label) || slices.Contains(foldersOnly, label) {
		return "", false
	}
	return label, true
}

// KeywordLabel is the label that a SEARCH KEYWORD asks for; unlike a change it may name any.
func KeywordLabel(flag string) string {
	for _, fl := range flagLabels {
		if strings.EqualFold(fl.flag, flag) {
			return fl.label
		}
	}
	return strings.ToLower(decodeKeyword(flag))
}

// encodeKeyword writes a label as an IMAP atom (RFC 9051 9, flag-keyword): what an atom cannot hold, and "=" itself,
// becomes =XX per byte.
func encodeKeyword(label string) string {
	var b strings.Builder
	for i := range len(label) {
		c := label[i]
		if c <= ' ' || c >= 0x7f || strings.IndexByte(`(){%*"\]=`, c) >= 0 {
			fmt.Fprintf(&b, "=%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// decodeKeyword is encodeKeyword's inverse; what is not an escape stays as it is.
func decodeKeyword(kw string) string {
	if strings.IndexByte(kw, '=') < 0 {
		return kw
	}
	var b strings.Builder
	for i := 0; i < len(kw); i++ {
		if kw[i] == '=' && i+2 < len(kw) {
			hi, lo := unhex(kw[i+1]), unhex(kw[i+2])
			if hi >= 0 && lo >= 0 {
				b.WriteByte(byte(hi<<4 | lo))
				i += 2
				continue
			}
		}
		b.WriteByte(kw[i])
	}
	return b.String()
}

func unhex(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'A' <= c && c <= 'F':
		return int(c - 'A' + 10)
	case 'a' <= c && c <= 'f':
		return int(c - 'a' + 10)
	}
	return -1
}

// Settable tells whether an IMAP client may set and clear the label by flags.
func Settable(label string) bool {
	return label == LabelUnread || (!SystemLabel(label) && !slices.Contains(foldersOnly, label))
}
