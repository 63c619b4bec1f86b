package storage

import (
	"encoding/json"
	"math"
	"slices"
	"strings"

	"podmail/mail"
)

// The columns that a filter can look into: places of the folded JSON array, and labels.
const (
	foldedSender = iota
	foldedRecipients
	foldedSubject
	foldedLabels
)

// filterSQL is true for rows of alias a in which every needle of the JSON array in parameter p occurs. A needle is
// [column, text].
func filterSQL(a, p string) string {
	return strings.NewReplacer("{a}", a, "{p}", p).Replace(`NOT EXISTS (SELECT 1 FROM json_each({p}) j WHERE instr(
		CASE j.value ->> 0 WHEN 3 THEN {a}.labels ELSE {a}.folded ->> (j.value ->> 0) END, j.value ->> 1) = 0)`)
}

// fold is the form in which substring filters compare: lower case by Unicode.
func fold(s string) string { return strings.ToLower(s) }

// foldedJSON is the folded column.
func foldedJSON(senders, recipients []string, subject string) string {
	b, _ := json.Marshal([]string{fold(strings.Join(senders, "\n")), fold(strings.Join(recipients, "\n")), fold(subject)}) // strings always marshal
	return string(b)
}

// filterArgs turns a filter into the JSON array of needles, or "" if it has none. suffix ends a label in the labels
// column: messages keep an array, threads an object.
func filterArgs(f mail.MessageFilter, suffix string) string {
	var needles [][2]any
	add := func(column int, texts []string) {
		for _, t := range texts {
			needles = append(needles, [2]any{column, fold(t)})
		}
	}
	add(foldedSender, f.From)
	add(foldedSender, f.Senders)
	add(foldedRecipients, f.To)
	add(foldedRecipients, f.Recipients)
	add(foldedSubject, f.Subject)
	for _, l := range f.Labels {
		quoted, _ := json.Marshal(l) // strings always marshal
		needles = append(needles, [2]any{foldedLabels, string(quoted) + suffix})
	}
	if len(needles) == 0 {
		return ""
	}
	b, _ := json.Marshal(needles) // strings and ints always marshal
	return string(b)
}

// bounds are the filter's exclusive bounds in microseconds.
func bounds(f mail.MessageFilter) (after, before int64) {
	after, before = math.MinInt64, math.MaxInt64
	if !f.After.IsZero() {
		after = f.After.UnixMicro()
	}
	if !f.Before.IsZero() {
		before = f.Before.UnixMicro()
	}
	return after, before
}

// rarest picks the label by which an index is best entered: one of the callers' own before one that most mail has.
func rarest(labels []string) (string, bool) {
	if len(labels) == 0 {
		return "", false
	}
	common := []string{mail.LabelReceived, mail.LabelSent, mail.LabelDelivered, mail.LabelUnread}
	return slices.MinFunc(labels, func(a, b string) int {
		return rank(common, b) - rank(common, a)
	}), true
}

func rank(common []string, label string) int {
	if i := slices.Index(common, label); i >= 0 {
		return i
	}
	return len(common)
}
