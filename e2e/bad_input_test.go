package e2e

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
)

// TestBadRequestsAreAnswered: whatever a program sends to the API, it learns what was wrong.
func TestBadRequestsAreAnswered(t *testing.T) {
	t.Parallel()
	podmail := start(t)
	var inbox Inbox
	podmail.sdk(podmail.Key).call("inboxes.create", &inbox, arg{"username": "alice"})
	at := "/v0/inboxes/" + inbox.InboxID
	for _, c := range []struct {
		name, method, path, body string
		status                   int
		answer                   string
	}{
		{"malformed JSON", "POST", "/v0/inboxes", `{"username":`, 400, `"validation_error"`},
		{"JSON of another kind", "POST", "/v0/inboxes", `[1]`, 400, `"validation_error"`},
		{"a body too large", "POST", at + "/messages/send", `{"to":"a@example.org","text":"` + strings.Repeat("x", 7_000_000) + `"}`, 413, `"code"`},
		{"two JSON values", "POST", "/v0/inboxes", `{} {}`, 400, `"validation_error"`},
		{"nested without end", "POST", "/v0/inboxes", strings.Repeat(`{"metadata":`, 50_000), 400, `"validation_error"`},
		{"wrong type", "POST", "/v0/inboxes", `{"username":7}`, 400, `"username"`},
		{"wrong type in a list", "POST", at + "/messages/send", `{"to":[7]}`, 400, `"to"`},
		{"no recipients", "POST", at + "/messages/send", `{"text":"x"}`, 422, `"unprocessable"`},
		{"bad address", "POST", at + "/messages/send", `{"to":"not an address","text":"x"}`, 400, `"to"`},
		{"bad page token", "GET", "/v0/threads?page_token=nonsense", "", 400, `"page_token"`},
		{"bad limit", "GET", "/v0/threads?limit=many", "", 400, `"limit"`},
		{"unknown inbox", "GET", "/v0/inboxes/nobody@podmail.localhost", "", 404, `"not_found"`},
		{"unknown message", "GET", at + "/messages/%3Cnothing@example.org%3E", "", 404, `"not_found"`},
		{"unknown thread", "GET", "/v0/threads/00000000-0000-0000-0000-000000000000", "", 404, `"not_found"`},
		{"unknown path", "GET", "/v0/nothing/here", "", 404, `"not_found"`},
		{"bad escape in the path", "GET", "/v0/inboxes/%00%ff", "", 404, `"not_found"`},
	} {
		status, answer := podmail.curl(c.method, c.path, podmail.Key, c.body)
		if status != c.status || !strings.Contains(answer, c.answer) || !strings.Contains(answer, `"message"`) {
			t.Errorf("%s: %d %.300s; want %d with %s", c.name, status, answer, c.status, c.answer)
		}
	}
	for _, key := range []string{"", "am_wrong", "am_wrong with spaces"} {
		if status, answer := podmail.curl("GET", "/v0/inboxes", key, ""); status != 401 || !strings.Contains(answer, `"code"`) {
			t.Errorf("key %q: %d %s", key, status, answer)
		}
	}
	if status, answer := podmail.curl("GET", at, podmail.Key, ""); status != 200 {
		t.Errorf("afterwards: %d %s", status, answer)
	}
}

// TestBadSessionsAreAnswered: whatever a mail program says, it gets a reply of its protocol or is hung up on, and the
// server goes on.
func TestBadSessionsAreAnswered(t *testing.T) {
	t.Parallel()
	podmail := start(t, `smtp.max_message_size = "64KiB"`)
	var inbox Inbox
	podmail.sdk(podmail.Key).call("inboxes.create", &inbox, arg{"username": "alice"})
	mail := "HELO x\r\nMAIL FROM:<a@example.org>\r\nRCPT TO:<" + inbox.InboxID + ">\r\nDATA\r\n"
	for _, c := range []struct{ name, address, send, want string }{
		{"SMTP: no command", podmail.SMTP, "\x00\xff\r\n", "\n50"},
		{"SMTP: another protocol", podmail.SMTP, "GET / HTTP/1.1\r\nHost: x\r\n\r\n", "\n50"},
		{"SMTP: a line without end", podmail.SMTP, strings.Repeat("x", 100_000) + "\r\n", "\n421 "},
		{"SMTP: out of order", podmail.SMTP, "HELO x\r\nDATA\r\n", "\n50"},
		{"SMTP: bad address", podmail.SMTP, "HELO x\r\nMAIL FROM:<a b@c>\r\n", "\n50"},
		{"SMTP: announced too large", podmail.SMTP, "EHLO x\r\nMAIL FROM:<a@example.org> SIZE=70000\r\n", "\n552 "},
		{"SMTP: too large", podmail.SMTP, mail + "Subject: large\r\n\r\n" + strings.Repeat(strings.Repeat("x", 70)+"\r\n", 1000) + ".\r\n", "\n552 "},
		{"SMTP: smuggled by bare LF", podmail.SMTP, mail + "Subject: outer\r\n\r\nx\n.\r\nMAIL FROM:<b@example.org>\r\nRCPT TO:<" + inbox.InboxID + ">\r\nDATA\r\nSubject: smuggled\r\n\r\nx\r\n.\r\n", "\n550 5.6.11"},
		{"IMAP: no command", podmail.IMAP, "\x00\xff\r\n", "* BYE "},
		{"IMAP: another protocol", podmail.IMAP, "GET / HTTP/1.1\r\n\r\n", " BAD"},
		{"IMAP: not logged in", podmail.IMAP, "a SELECT INBOX\r\n", "a BAD"},
		{"IMAP: a literal too large", podmail.IMAP, "a LOGIN {99999999+}\r\n", "BYE"},
		{"IMAP: a line without end", podmail.IMAP, "a LOGIN " + strings.Repeat("x", 200_000) + "\r\n", "BYE"},
	} {
		if got := converse(t, c.address, c.send); !strings.Contains(got, c.want) {
			t.Errorf("%s: got %.500q, want %q", c.name, got, c.want)
		}
	}
	if messages := podmail.imaplib(inbox.InboxID, podmail.Key, "INBOX"); len(messages) != 0 {
		t.Errorf("some of that was delivered: %v", messages)
	}
}

// converse sends all at once, closes its side, and returns everything that comes back.
func converse(t *testing.T, address, send string) string {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	r := bufio.NewReader(conn)
	if _, err := r.Peek(1); err != nil { // the greeting; SMTP wants to speak first
		t.Fatal(err)
	}
	go func() {
		_, _ = io.WriteString(conn, send) // the server may hang up first
		_ = conn.(*net.TCPConn).CloseWrite()
	}()
	reply, err := io.ReadAll(r)
	if err != nil {
		return fmt.Sprintf("%s(%v)", reply, err)
	}
	return string(reply)
}
