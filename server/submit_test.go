package server_test

import (
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"podmail/mail"
	"podmail/server"
	"podmail/server/servertest"
)

// TestWhatASubmissionLacksIsMadeUp hands in dates and message ids that are none, and looks at what leaves.
func TestWhatASubmissionLacksIsMadeUp(t *testing.T) {
	const made = "Fri, 02 Jan 2026 03:04:05 +0000"
	for _, c := range []struct {
		name, fields string
		id, date     string // that leave; an empty id is one of ours
	}{
		{"as it should be", "Message-ID: <1@a.test>\nDate: Thu, 1 Jan 2026 00:00:00 +0100\n", "<1@a.test>", "Thu, 1 Jan 2026 00:00:00 +0100"},
		{"an old date", "Message-ID: <1@a.test>\nDate: 1 Jan 26 00:00:00 GMT\n", "<1@a.test>", "1 Jan 26 00:00:00 GMT"},
		{"nothing", "", "", made},
		{"none", "Message-ID: no brackets\nDate: junk\n", "", made},
		{"empty", "Message-ID:\nDate:\n", "", made},
		{"over two lines", "message-id : no\n brackets\nDATE: Thu,\n 99 Jan 2026\n", "", made},
	} {
		t.Run(c.name, func(t *testing.T) {
			left := make(chan string, 1)
			w := newSending(t, server.QueueLimits{}, func(tr mail.Transfer) []mail.TransferResult {
				raw, err := io.ReadAll(io.NewSectionReader(tr.Message, 0, tr.Size))
				if err != nil {
					t.Error(err)
				}
				left <- string(raw)
				return servertest.ForEach(tr, mail.TransferResult{Text: "250 OK"})
			})
			raw := strings.ReplaceAll("From: alice@podmail.test\n"+c.fields+"Subject: Hello\n\nHi.\n", "\n", "\r\n")
			m, err := w.Server.Submit(t.Context(), w.alice, server.Incoming{ReversePath: "alice@podmail.test", Recipients: []string{"bob@other.test"}, Body: strings.NewReader(raw)})
			if err != nil {
				t.Fatal(err)
			}
			var got string
			select {
			case got = <-left:
			case <-time.After(time.Minute):
				t.Fatal("nothing left")
			}
			header, _, _ := strings.Cut(got, "\r\n\r\n")
			values := map[string][]string{}
			for line := range strings.SplitSeq(strings.ReplaceAll(header, "\r\n ", " "), "\r\n") {
				name, value, _ := strings.Cut(line, ":")
				name = strings.ToLower(strings.TrimSpace(name))
				values[name] = append(values[name], strings.TrimSpace(value))
			}
			if c.id == "" {
				c.id = m.MessageID
			}
			if ids := values["message-id"]; !slices.Equal(ids, []string{c.id}) || !strings.HasPrefix(c.id, "<") || m.MessageID != c.id {
				t.Errorf("ids %q of %s in\n%s", ids, m.MessageID, header)
			}
			if dates := values["date"]; !slices.Equal(dates, []string{c.date}) {
				t.Errorf("dates %q in\n%s", dates, header)
			}
		})
	}
}
