package mail_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"podmail/mail"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func person(name string) mail.Address {
	return mail.Address{Name: name, Mailbox: name, Host: "x.example"}
}

func TestAThreadSumsUpItsMessages(t *testing.T) {
	var th mail.Thread
	th.Add(&mail.Message{MessageID: "<1@x>", Labels: []string{"received", "unread"}, Timestamp: noon, Preview: "one", Size: 10,
		Envelope:    mail.Envelope{Subject: "Plan", From: []mail.Address{person("ann")}, To: []mail.Address{person("bob"), {Mailbox: "team"}, person("cy"), {}}},
		Attachments: []mail.Attachment{{AttachmentID: "a"}}})
	th.Add(&mail.Message{MessageID: "<2@x>", Labels: []string{"sent"}, Timestamp: noon.Add(time.Hour), Preview: "two", Size: 20,
		Envelope: mail.Envelope{Subject: "Re: Plan", From: []mail.Address{person("bob")}, To: []mail.Address{person("ann")}, Bcc: []mail.Address{person("cy")}}})
	th.Add(&mail.Message{MessageID: "<3@x>", Labels: []string{"received", "trash"}, Timestamp: noon.Add(-time.Hour), Preview: "three", Size: 30,
		Envelope: mail.Envelope{Subject: "late", From: []mail.Address{person("ann")}, To: []mail.Address{person("dan")}}})
	want := mail.Thread{
		LabelCounts:  map[string]int64{"received": 2, "unread": 1, "sent": 1, "trash": 1},
		HiddenCounts: map[mail.Hidden]int64{0: 2, mail.HiddenTrash: 1},
		Timestamp:    noon.Add(time.Hour), ReceivedTimestamp: noon, SentTimestamp: noon.Add(time.Hour),
		Senders:    []string{"ann <ann@x.example>", "bob <bob@x.example>"},
		Recipients: []string{"bob <bob@x.example>", "cy <cy@x.example>", "ann <ann@x.example>", "dan <dan@x.example>"},
		Subject:    "Plan", Preview: "two", LastMessageID: "<2@x>", MessageCount: 3, Size: 60, Attachments: []mail.Attachment{{AttachmentID: "a"}},
	}
	if diff := cmp.Diff(want, th, cmpopts.IgnoreUnexported(mail.Thread{})); diff != "" {
		t.Errorf("thread (-want +got):\n%s", diff)
	}
	if got := th.Labels(); !slices.Equal(got, []string{"received", "sent", "trash", "unread"}) {
		t.Errorf("labels are %v", got)
	}
}

func TestAThreadGathersOnlySoMuch(t *testing.T) {
	var th mail.Thread
	for i := range 300 {
		th.Add(&mail.Message{Timestamp: noon, Envelope: mail.Envelope{From: []mail.Address{person(fmt.Sprint("p", i))}, To: []mail.Address{person(fmt.Sprint("q", i))}},
			Attachments: make([]mail.Attachment, 3)})
	}
	if len(th.Senders) != 100 || len(th.Recipients) != 100 || len(th.Attachments) != 100 || th.MessageCount != 300 {
		t.Errorf("%d senders, %d recipients, %d attachments of %d messages", len(th.Senders), len(th.Recipients), len(th.Attachments), th.MessageCount)
	}
}

// TestChangesAddUpToARebuild relabels messages at random: the counts kept along are those made anew.
func TestChangesAddUpToARebuild(t *testing.T) {
	all := []string{"received", "sent", "unread", "trash", "spam", "blocked", "work", "starred"}
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 1))
		pick := func() (labels []string) {
			for _, l := range all {
				if r.IntN(2) == 0 {
					labels = append(labels, l)
				}
			}
			return labels
		}
		var messages []mail.Message
		var kept mail.Thread
		for i := range 1 + r.IntN(6) {
			m := mail.Message{MessageID: fmt.Sprint(i), Labels: pick(), Timestamp: noon.Add(time.Duration(i) * time.Minute), Size: int64(i)}
			messages = append(messages, m)
			kept.Add(&m)
		}
		kept.Stored()
		before := kept.Labels()
		for range 20 {
			m := &messages[r.IntN(len(messages))]
			after := pick()
			kept.Relabel(m.Labels, after)
			m.Labels = after
		}
		var anew mail.Thread
		anew.Rebuild(messages)
		if diff := cmp.Diff(anew.LabelCounts, kept.LabelCounts); diff != "" {
			t.Fatalf("seed %d, labels (-anew +kept):\n%s", seed, diff)
		}
		if diff := cmp.Diff(anew.HiddenCounts, kept.HiddenCounts); diff != "" || anew.Visibility() != kept.Visibility() {
			t.Fatalf("seed %d, hidden (-anew +kept):\n%s", seed, diff)
		}
		added, removed := kept.LabelDiff()
		if after, _, _ := mail.ApplyLabels(before, added, removed); !slices.Equal(after, kept.Labels()) {
			t.Fatalf("seed %d: %v +%v -%v is %v, not %v", seed, before, added, removed, after, kept.Labels())
		}
	}
}
