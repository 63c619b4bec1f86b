package mail

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The labels that mean something to the server. Any other label is the callers' own.
const (
	LabelReceived        = "received"
	LabelSent            = "sent"
	LabelDraft           = "draft"
	LabelScheduled       = "scheduled"
	LabelUnread          = "unread"
	LabelSpam            = "spam"
	LabelTrash           = "trash"
	LabelBlocked         = "blocked"
	LabelUnauthenticated = "unauthenticated"
	LabelArchive         = "archive"
	LabelStarred         = "starred"
	LabelReplied         = "replied"
	LabelForwarded       = "forwarded"
	LabelDelivered       = "delivered"
	LabelDelayed         = "delayed"
	LabelBounced         = "bounced"
	LabelComplained      = "complained"
	LabelRejected        = "rejected"
	LabelOpened          = "opened"
	LabelAutomatic       = "automatic" // a program wrote it: answers to it help nobody (RFC 3834)
	LabelDeleted         = "deleted"   // IMAP's \Deleted: waits for EXPUNGE
)

// SystemLabel tells whether only the server may add or remove the label.
func SystemLabel(label string) bool {
	switch label {
	case LabelReceived, LabelSent, LabelDraft, LabelScheduled, LabelDelivered, LabelDelayed, LabelBounced,
		LabelComplained, LabelRejected, LabelOpened, LabelBlocked, LabelUnauthenticated:
		return true
	}
	return false
}

// NormalizeLabel is the stored form of a label that a caller named: lower case, 1 to 256 printable characters.
func NormalizeLabel(label string) (string, error) {
	valid := utf8.ValidString(label) // lower case makes it so
	label = strings.ToLower(label)
	if n := utf8.RuneCountInString(label); n < 1 || n > 256 || !valid {
		return "", fmt.Errorf("a label has 1 to 256 characters")
	}
	for _, r := range label {
		if !unicode.IsPrint(r) {
			return "", fmt.Errorf("a label has printable characters only")
		}
	}
	return label, nil
}

// ApplyLabels returns labels with add added and remove removed (remove wins), sorted and distinct, and what changed.
func ApplyLabels(labels, add, remove []string) (result, added, removed []string) {
	result = slices.Clone(labels)
	for _, l := range add {
		if !slices.Contains(result, l) && !slices.Contains(remove, l) {
			result = append(result, l)
			added = append(added, l)
		}
	}
	for _, l := range remove {
		if i := slices.Index(result, l); i >= 0 {
			result = slices.Delete(result, i, i+1)
			removed = append(removed, l)
		}
	}
	slices.Sort(result)
	return slices.Compact(result), added, removed
}

// Hidden is the set of reasons for which a message is left out of ordinary lists.
type Hidden uint8

// The reasons. A message is shown if each of its own is included.
const (
	HiddenSpam Hidden = 1 << iota
	HiddenTrash
	HiddenBlocked
	HiddenUnauthenticated
	HiddenDraft // never part of message lists
	hiddenEnd
)

// HiddenOf computes the reasons from a message's labels.
func HiddenOf(labels []string) (h Hidden) {
	for _, l := range labels {
		h |= HiddenBy(l)
	}
	return h
}

// Labels are those that stand for a reason of the set, but for that of drafts.
func (h Hidden) Labels() (labels []string) {
	for _, l := range []string{LabelSpam, LabelTrash, LabelBlocked, LabelUnauthenticated} {
		if h&HiddenBy(l) != 0 {
			labels = append(labels, l)
		}
	}
	return labels
}

// HiddenBy is the reason that one label stands for, or zero.
func HiddenBy(label string) Hidden {
	switch label {
	case LabelSpam:
		return HiddenSpam
	case LabelTrash:
		return HiddenTrash
	case LabelBlocked:
		return HiddenBlocked
	case LabelUnauthenticated:
		return HiddenUnauthenticated
	case LabelDraft:
		return HiddenDraft
	}
	return 0
}

// Visibility is a set of Hidden values, one bit for each that occurs among a thread's messages.
type Visibility uint32

// With returns v with h's bit set.
func (v Visibility) With(h Hidden) Visibility { return v | 1<<h }

// ShownWith is the set of Hidden values that are shown when include is asked for. A thread is listed if its
// Visibility meets it.
func ShownWith(include Hidden) (v Visibility) {
	for h := range hiddenEnd {
		if h&^include == 0 {
			v = v.With(h)
		}
	}
	return v
}
