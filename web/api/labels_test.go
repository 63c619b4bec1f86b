package api_test

import (
	"fmt"
	"strings"
	"testing"

	"podmail/mail"
	"podmail/server"
	"podmail/web"
)

// TestSystemLabels: no way to name labels lets a caller set or remove those that only the server does.
func TestSystemLabels(t *testing.T) {
	d := openDoor(t, web.Limits{})
	n := d.tenantNamed(t, "alice")
	key := d.Key(t, d.Org)
	for _, label := range []string{"received", "sent", "draft", "scheduled", "delivered", "delayed", "bounced", "complained", "rejected", "opened", "blocked", "unauthenticated", "SENT"} {
		for _, doing := range []string{
			`POST /messages/send {"to":"x@elsewhere.test","text":"t","labels":["LABEL"]}`,
			`POST /messages/send {"to":"x@elsewhere.test","text":"t","labels":"LABEL"}`,
			`POST /messages/:message_id/reply {"text":"t","labels":["mine","LABEL"]}`,
			`POST /messages/:message_id/reply-all {"text":"t","labels":["LABEL"]}`,
			`POST /messages/:message_id/forward {"to":"x@elsewhere.test","labels":["LABEL"]}`,
			`PATCH /messages/:message_id {"add_labels":"LABEL"}`,
			`PATCH /messages/:message_id {"add_labels":["mine"],"remove_labels":["LABEL"]}`,
			`POST /messages/batch-update {"message_ids":["${message_id}"],"add_labels":["LABEL"]}`,
			`POST /messages/batch-update {"message_ids":["${message_id}"],"remove_labels":"LABEL"}`,
			`PATCH /threads/:thread_id {"add_labels":["LABEL"]}`,
			`PATCH /threads/:thread_id {"remove_labels":["LABEL"]}`,
			`POST /drafts {"to":["x@elsewhere.test"],"labels":["LABEL"]}`,
			`PATCH /drafts/:draft_id {"add_labels":["LABEL"]}`,
			`PATCH /drafts/:draft_id {"remove_labels":["LABEL"]}`,
			`POST /drafts/:draft_id/send {"add_labels":["LABEL"]}`,
			`POST /drafts/:draft_id/send {"remove_labels":["LABEL"]}`,
		} {
			method, rest, _ := strings.Cut(doing, " ")
			path, body, _ := strings.Cut(rest, " ")
			body = strings.NewReplacer("LABEL", label, "${message_id}", n.ids["message_id"]).Replace(body)
			got := d.call(t, key, method, fill(t, "/v0/inboxes/:inbox_id"+path, n.ids), body)
			if got.status != 400 || !strings.Contains(got.body, "labels") {
				t.Errorf("%s %s: %d %s", doing, label, got.status, got.body)
			}
		}
	}
	for _, query := range []string{"messages?labels=sent", "messages?labels=mine"} {
		if got := d.call(t, key, "GET", "/v0/inboxes/"+n.inbox.InboxID+"/"+query, ""); !strings.Contains(got.body, `"count":0`) {
			t.Errorf("%s: %s", query, got.body)
		}
	}
}

// TestIncluded: what is set aside is listed only if it is asked for, by its flag or by its label; all that a message is
// set aside for must be asked for.
func TestIncluded(t *testing.T) {
	d := openDoor(t, web.Limits{})
	n := d.tenantNamed(t, "alice")
	for _, labels := range []string{"spam", "trash", "spam-trash", "blocked", "blocked-trash", "unauthenticated"} {
		sender := strings.Split(labels, "-")[0] + ".example"
		if sender == "blocked.example" {
			d.call(t, n.inboxKey, "POST", "/v0/inboxes/"+n.inbox.InboxID+"/lists/receive/block", `{"entry":"blocked.example"}`)
		}
		in := server.Incoming{ReversePath: "x@" + sender, Recipients: []string{n.inbox.InboxID},
			Body: strings.NewReader("From: x@" + sender + "\r\nSubject: " + labels + "\r\nMessage-ID: <" + labels + "@example.org>\r\n\r\nx\r\n")}
		if labels == "unauthenticated" {
			in.Authenticate = func() mail.Authentication {
				return mail.Authentication{DMARC: mail.DMARCResult{Result: mail.AuthFail, Policy: mail.PolicyReject, Domain: sender, From: sender}}
			}
		}
		if err := d.Server.Deliver(t.Context(), in); err != nil {
			t.Fatal(err)
		}
		for _, l := range strings.Split(labels, "-") {
			if l != "blocked" && l != "unauthenticated" { // which intake sets
				d.call(t, n.inboxKey, "PATCH", "/v0/inboxes/"+n.inbox.InboxID+"/messages/"+labels+"@example.org", `{"add_labels":["`+l+`"]}`)
			}
		}
	}
	for query, want := range map[string]string{
		"":                                     "alice subject",
		"include_spam=true":                    "spam, alice subject",
		"include_trash=true":                   "trash, alice subject",
		"include_spam=true&include_trash=true": "spam-trash, trash, spam, alice subject",
		"include_blocked=1":                    "blocked, alice subject",
		"include_unauthenticated=true":         "unauthenticated, alice subject",
		"labels=unauthenticated":               "unauthenticated",
		"include_blocked=true&labels=trash":    "blocked-trash, trash",
		"labels=spam":                          "spam",
		"labels=spam&labels=trash":             "spam-trash",
		"labels=SPAM&include_trash=true":       "spam-trash, spam",
		"labels=received&include_spam=false":   "alice subject",
		"include_spam=true&subject=spam":       "spam",
		"include_spam=true&limit=1":            "spam",
	} {
		for _, kind := range []string{"messages", "threads"} {
			got := d.call(t, n.inboxKey, "GET", "/v0/inboxes/"+n.inbox.InboxID+"/"+kind+"?"+query, "")
			var subjects []string
			for i := range strings.Count(got.body, `"subject":`) {
				subjects = append(subjects, got.get(t, fmt.Sprintf("%s.%d.subject", kind, i)))
			}
			if have := strings.Join(subjects, ", "); have != want {
				t.Errorf("%s?%s lists %s, not %s", kind, query, have, want)
			}
		}
	}
	none := n.key(t, "inbox", mail.Permissions{mail.MessageRead: true})
	for _, query := range []string{"include_spam=true&include_trash=true&include_blocked=true&include_unauthenticated=true", "labels=received"} {
		if got := d.call(t, none, "GET", "/v0/inboxes/"+n.inbox.InboxID+"/messages?"+query, ""); got.status != 200 || strings.Count(got.body, `"subject":`) != 1 {
			t.Errorf("a key that may read no such labels sees %s", got.body)
		}
	}
}
