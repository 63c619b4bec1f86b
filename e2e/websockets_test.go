package e2e

import (
	"strings"
	"testing"
)

// Heard is what a socket says: a frame, or that it is closed.
type Heard struct {
	Message struct {
		Type, EventType, EventID, Name string
		LastEventID                    string `json:"last_event_id"` // unknown to the client, which hands it through
		InboxIDs, EventTypes           []string
		Thread                         Thread
	}
	Closed int
}

// TestWebSockets: the client's own WebSockets hear what happens in the inboxes they may read, and nothing is lost when
// the connection is, nor when the server is.
func TestWebSockets(t *testing.T) {
	t.Parallel()
	podmail := start(t)
	admin := podmail.sdk(podmail.Key)
	var acme, other Pod
	admin.call("pods.create", &acme, arg{"name": "Acme"})
	admin.call("pods.create", &other, arg{"name": "Other"})
	var support, sales, foreign Inbox
	admin.call("pods.inboxes.create", &support, acme.PodID, arg{"username": "support"})
	admin.call("pods.inboxes.create", &sales, acme.PodID, arg{"username": "sales"})
	admin.call("pods.inboxes.create", &foreign, other.PodID, arg{"username": "foreign"})
	var key, narrow Key
	admin.call("pods.apiKeys.create", &key, acme.PodID, arg{"name": "Acme's agent"})
	admin.call("pods.apiKeys.create", &narrow, acme.PodID, arg{"name": "no spam", "permissions": arg{"messageRead": true}})
	post := func(inbox Inbox, subject string) {
		t.Helper()
		podmail.swaks(podmail.SMTP, "--from", "customer@example.org", "--to", inbox.InboxID, "--h-Subject", subject, "--body", "Hello")
	}

	// A key that is not known is refused before anything is upgraded.
	if err := podmail.sdk("am_unknown").try("sockets.open", nil, arg{}); err == nil || !strings.Contains(err.Error(), "401") {
		t.Errorf("an unknown key: %v", err)
	}

	// The client subscribes, and hears of the mail to the inbox that it named, with the message and its thread.
	agent := podmail.sdk(key.APIKey)
	var socket int
	agent.call("sockets.open", &socket, arg{})
	var answer, heard Heard
	agent.call("sockets.subscribe", &answer, socket, arg{"inboxIds": []string{support.InboxID}, "eventTypes": []string{"message.received"}})
	if m := answer.Message; m.Type != "subscribed" || len(m.InboxIDs) != 1 || len(m.EventTypes) != 1 || m.LastEventID == "" {
		t.Errorf("subscribed: %+v", m)
	}
	post(foreign, "Not yours")
	post(sales, "Not asked for")
	post(support, "First")
	agent.call("sockets.next", &heard, socket)
	if m := heard.Message; m.Type != "event" || m.EventType != "message.received" || m.Thread.Subject != "First" || m.Thread.InboxID != support.InboxID {
		t.Errorf("heard: %+v", m)
	}

	// An inbox of somebody else is not found, and changes nothing. Neither may a key hear of spam that it may not read.
	refused := func(client *SDK, at int, name string, subscription arg) {
		t.Helper()
		var answer Heard
		if client.call("sockets.subscribe", &answer, at, subscription); answer.Message.Type != "error" || answer.Message.Name != name {
			t.Errorf("%v: %+v", subscription, answer.Message)
		}
	}
	refused(agent, socket, "NotFoundError", arg{"inboxIds": []string{foreign.InboxID}})
	restricted := podmail.sdk(narrow.APIKey)
	var narrowly int
	restricted.call("sockets.open", &narrowly, arg{})
	refused(restricted, narrowly, "ForbiddenError", arg{"eventTypes": []string{"message.received.spam"}})
	post(support, "Second")
	var second Heard
	if agent.call("sockets.next", &second, socket); second.Message.Thread.Subject != "Second" {
		t.Errorf("heard: %+v", second.Message)
	}

	// The server stops, and says so. What comes after that was seen is told to who says what that was.
	var bye Heard
	podmail.stop()
	if agent.call("sockets.next", &bye, socket); bye.Closed != 1001 {
		t.Errorf("when the server stops: %+v", bye)
	}
	agent.call("sockets.close", nil, socket) // or it connects again by itself
	restricted.call("sockets.close", nil, narrowly)
	podmail.serve()
	post(support, "Third")
	post(support, "Fourth")
	agent = podmail.sdk(key.APIKey)
	agent.call("sockets.open", &socket, arg{"apiKey": key.APIKey, "queryParams": arg{"last_event_id": second.Message.EventID}})
	agent.call("sockets.subscribe", &answer, socket, arg{"inboxIds": []string{support.InboxID}})
	for _, want := range []string{"Third", "Fourth"} {
		var heard Heard
		if agent.call("sockets.next", &heard, socket); heard.Message.Thread.Subject != want {
			t.Errorf("heard: %+v, want %s", heard.Message, want)
		}
	}
	agent.call("sockets.subscribe", &answer, socket, arg{"inboxIds": []string{support.InboxID}, "last_event_id": heard.Message.EventID})
	if agent.call("sockets.next", &heard, socket); heard.Message.Thread.Subject != "Second" {
		t.Errorf("from the first on: %+v", heard.Message)
	}

	// A key that is revoked hears nothing more.
	podmail.podmail("key", "revoke", key.APIKeyID)
	post(support, "Fifth")
	for heard = (Heard{}); heard.Closed == 0; agent.call("sockets.next", &heard, socket) {
		if heard.Message.Thread.Subject == "Fifth" {
			t.Error("a revoked key hears what happens")
		}
	}
	if heard.Closed != 1008 {
		t.Errorf("closed with %d", heard.Closed)
	}
}
