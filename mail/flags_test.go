package mail_test

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"podmail/mail"
)

func TestLabelsShowAsFlags(t *testing.T) {
	for _, c := range []struct{ labels, here, want string }{
		{"received unread", "received", ""},
		{"received", "received", `\Seen`},
		{"received unread work", "received", "work"},
		{"draft starred replied deleted forwarded", "draft", `\Draft \Flagged \Answered \Deleted $Forwarded \Seen`},
		{"received trash unread", "trash", ""},
		{"received folder/sent work unread", "folder/sent", "work"}, // the folder it is in is no keyword
		{"received work unread", "work", ""},
		{"sent delivered bounced unread", "sent", "delivered bounced"},
		{"ünread unread", "received", "=C3=BCnread"},
		{"a=b unread", "received", "a=3Db"},
		{`a(b)c{d%e*f"g\h]i unread`, "received", "a=28b=29c=7Bd=25e=2Af=22g=5Ch=5Di"},
	} {
		got := mail.Flags(strings.Fields(c.labels), c.here)
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s in %s: %v, want %s", c.labels, c.here, got, c.want)
		}
	}
}

func TestFlagsChangeLabels(t *testing.T) {
	for _, c := range []struct{ set, clear, add, remove string }{
		{`\Seen`, "", "", "unread"},
		{"", `\seen`, "unread", ""},
		{`\Flagged \ANSWERED $forwarded`, `\Deleted`, "starred replied forwarded", "deleted"},
		{"Work =C3=BCnread", "$Label1", "work ünread", "$label1"},
		{`\Draft \Recent \Other`, `\Draft`, "", ""},                            // not a client's to set
		{"sent RECEIVED spam trash archive bounced opened unread", "", "", ""}, // labels that are folders, or the system's
		{"=FF", "", "", ""}, // not UTF-8
	} {
		add, remove := mail.FlagChange(strings.Fields(c.set), strings.Fields(c.clear))
		if strings.Join(add, " ") != c.add || strings.Join(remove, " ") != c.remove {
			t.Errorf("+%s -%s: adds %v, removes %v; want %q, %q", c.set, c.clear, add, remove, c.add, c.remove)
		}
	}
}

func TestKeywordLabel(t *testing.T) {
	for flag, want := range map[string]string{`\Flagged`: "starred", "$FORWARDED": "forwarded", "Bounced": "bounced", "a=3Db": "a=b", "a=zz": "a=zz", "a=": "a="} {
		if got := mail.KeywordLabel(flag); got != want {
			t.Errorf("%s: %q, want %q", flag, got, want)
		}
	}
}

// FuzzKeyword: every label that a caller may set is a keyword of IMAP's, and that keyword sets the label again.
func FuzzKeyword(f *testing.F) {
	for _, s := range []string{"work", "Ä b", "a=3db", "=", "=3", `\seen`, "$x", "]", "\u202e", "ſ", "İ"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		label, err := mail.NormalizeLabel(s)
		if err != nil {
			return
		}
		if again, err := mail.NormalizeLabel(label); again != label {
			t.Fatalf("%q becomes %q, that %q, %v", s, label, again, err)
		}
		if !mail.Settable(label) || label == mail.LabelUnread {
			return
		}
		flags := mail.Flags([]string{label, mail.LabelUnread}, mail.LabelReceived)
		if len(flags) != 1 {
			t.Fatalf("%q shows as %q", label, flags)
		}
		for _, c := range []byte(strings.TrimPrefix(flags[0], `\`)) { // RFC 9051 9, flag
			if c <= ' ' || c >= 0x7f || strings.IndexByte(`(){%*"\]`, c) >= 0 {
				t.Fatalf("%q shows as %q, which is no atom", label, flags[0])
			}
		}
		if add, remove := mail.FlagChange(flags, nil); !slices.Equal(add, []string{label}) || remove != nil {
			t.Fatalf("%q shows as %q, which sets %q and clears %q", label, flags[0], add, remove)
		}
		if mail.KeywordLabel(flags[0]) != label {
			t.Fatalf("%q shows as %q, by which a search looks for %q", label, flags[0], mail.KeywordLabel(flags[0]))
		}
	})
}

func TestNormalizeLabel(t *testing.T) {
	for s, want := range map[string]string{"Work": "work", "ÄRGER": "ärger", "a b": "a b", strings.Repeat("ä", 256): strings.Repeat("ä", 256)} {
		if got, err := mail.NormalizeLabel(s); err != nil || got != want {
			t.Errorf("%q: %q, %v", s, got, err)
		}
	}
	for _, s := range []string{"", "a\nb", "a\x00", "\xff", strings.Repeat("a", 257), "a\u200bb"} {
		if got, err := mail.NormalizeLabel(s); err == nil {
			t.Errorf("%q (valid: %v) became %q", s, utf8.ValidString(s), got)
		}
	}
}

func TestApplyLabels(t *testing.T) {
	for _, c := range []struct{ labels, add, remove, result, added, removed string }{
		{"a b", "c", "", "a b c", "c", ""},
		{"a b", "a", "", "a b", "", ""},
		{"a b", "", "b x", "a", "", "b"},
		{"a", "b", "b", "a", "", ""}, // remove wins
		{"a", "a", "a", "", "", "a"},
		{"", "b a b", "", "a b", "b a", ""},
	} {
		before := strings.Fields(c.labels)
		result, added, removed := mail.ApplyLabels(before, strings.Fields(c.add), strings.Fields(c.remove))
		if got := [3]string{strings.Join(result, " "), strings.Join(added, " "), strings.Join(removed, " ")}; got != [3]string{c.result, c.added, c.removed} {
			t.Errorf("%s +%s -%s: %q", c.labels, c.add, c.remove, got)
		}
		if !slices.Equal(before, strings.Fields(c.labels)) {
			t.Errorf("%s +%s -%s changed what it was given", c.labels, c.add, c.remove)
		}
	}
}

// TestAThreadIsShownIfOneOfItsMessagesIs compares the bit sets with the rule they stand for.
func TestAThreadIsShownIfOneOfItsMessagesIs(t *testing.T) {
	reasons := []string{mail.LabelSpam, mail.LabelTrash, mail.LabelBlocked, mail.LabelUnauthenticated, mail.LabelDraft}
	labelsOf := func(set int) (labels []string) {
		for i, l := range reasons {
			if set&(1<<i) != 0 {
				labels = append(labels, l)
			}
		}
		return append(labels, "other")
	}
	for include := range 1 << len(reasons) {
		shown := mail.ShownWith(mail.HiddenOf(labelsOf(include)))
		for one := range 1 << len(reasons) {
			for _, two := range []int{one, 0, 1, 3, 1<<len(reasons) - 1} {
				v := mail.Visibility(0).With(mail.HiddenOf(labelsOf(one))).With(mail.HiddenOf(labelsOf(two)))
				want := one&^include == 0 || two&^include == 0
				if got := v&shown != 0; got != want {
					t.Fatalf("messages with %v and %v, %v included: shown %v, want %v", labelsOf(one), labelsOf(two), labelsOf(include), got, want)
				}
			}
		}
	}
}
