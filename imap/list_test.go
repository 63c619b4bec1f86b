package imap

import (
	"strings"
	"testing"
	"time"
)

func TestMatches(t *testing.T) {
	for _, tt := range []struct {
		name, pattern string
		want          bool
	}{
		{"INBOX", "inbox", true}, {"INBOX", "in%", true}, {"Sent", "sent", false}, {"a/b", "*", true}, {"a/b", "%", false}, {"a/b", "a/%", true},
		{"a/b/c", "a/%", false}, {"a/b/c", "a*c", true}, {"a/b/c", "%/%/%", true}, {"a", "a%", true}, {"a", "a*", true}, {"a", "", false}, {"", "", true},
		{"abc", "a%c%", true}, {"abc", "*d", false}, {"Größe", "Gr%", true},
	} {
		if got := matches(tt.name, tt.pattern); got != tt.want {
			t.Errorf("matches(%q, %q) = %v", tt.name, tt.pattern, got)
		}
	}
	began := time.Now()
	matches(strings.Repeat("a", 255), strings.Repeat("*a", 500)+"b")
	if took := time.Since(began); took > time.Second {
		t.Errorf("a hostile pattern took %v", took)
	}
}
