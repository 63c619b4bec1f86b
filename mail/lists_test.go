package mail

import (
	"strings"
	"testing"
)

// TestJudge spells entries "scope type entry", and "own" at the end of the server's own.
func TestJudge(t *testing.T) {
	for _, c := range []struct {
		name, address string
		entries       []string
		blocked       bool
		by            string
	}{
		{"no lists", "a@x.test", nil, false, ""},
		{"blocked address", "A@X.test", []string{"inbox block a@x.test"}, true, "a@x.test"},
		{"blocked domain", "a@x.test", []string{"pod block x.test"}, true, "x.test"},
		{"blocked domain above", "a@mail.x.test", []string{"organization block x.test"}, true, "x.test"},
		{"another domain that ends alike", "a@notx.test", []string{"organization block x.test"}, false, ""},
		{"address before domain", "a@x.test", []string{"inbox block x.test", "inbox allow a@x.test"}, false, "a@x.test"},
		{"block before allow", "a@x.test", []string{"inbox allow x.test", "inbox block x.test"}, true, "x.test"},
		{"block before allow, the other way round", "a@x.test", []string{"inbox block x.test", "inbox allow x.test"}, true, "x.test"},
		{"inbox before pod", "a@x.test", []string{"pod block a@x.test", "inbox allow x.test"}, false, "x.test"},
		{"pod before organization", "a@x.test", []string{"organization allow a@x.test", "pod block x.test"}, true, "x.test"},
		{"not on the allow list", "b@y.test", []string{"inbox allow a@x.test"}, true, ""},
		{"on the allow list", "a@x.test", []string{"inbox allow a@x.test"}, false, "a@x.test"},
		{"not on the pod's allow list", "b@y.test", []string{"pod allow x.test"}, true, ""},
		{"matched by the pod, though the inbox allows others", "b@y.test", []string{"inbox allow a@x.test", "pod allow y.test"}, false, "y.test"},
		{"our own, whatever the inbox allows", "a@x.test", []string{"pod block a@x.test own", "inbox allow a@x.test"}, true, "a@x.test"},
		{"our own, of somebody else", "b@x.test", []string{"pod block a@x.test own", "inbox allow b@x.test"}, false, "b@x.test"},
	} {
		var entries []ListEntry
		for _, text := range c.entries {
			f := strings.Fields(text)
			scope := map[string]Scope{"organization": {}, "pod": {Pod: 1}, "inbox": {Pod: 1, Inbox: 1}}[f[0]]
			entries = append(entries, ListEntry{Scope: scope, Type: ListType(f[1]), Entry: f[2], ReadOnly: len(f) > 3})
		}
		v := Judge(c.address, entries)
		by := ""
		if v.Entry != nil {
			by = v.Entry.Entry
		}
		if v.Blocked != c.blocked || by != c.by {
			t.Errorf("%s: blocked is %v by %q", c.name, v.Blocked, by)
		}
	}
}
