package e2e

import (
	"fmt"
	"net/smtp"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"testing"
)

// mailboxesFor are the settings with which a Postfix keeps all mail for a domain in one mailbox, and hands all other on to
// relay.
func mailboxesFor(t *testing.T, domain, relay string) []string {
	t.Helper()
	owner, err := user.Lookup("postfix")
	if err != nil {
		t.Fatal(err)
	}
	return []string{"virtual_mailbox_domains = " + domain, "virtual_mailbox_base = $queue_directory/../mail", "virtual_mailbox_maps = static:all/", "virtual_uid_maps = static:" + owner.Uid,
		"virtual_gid_maps = static:" + owner.Gid, "virtual_mailbox_limit = 0", "relayhost = [" + host(relay) + "]:" + port(relay)}
}

// mailbox is all mail that a Postfix with mailboxesFor has delivered.
func (h *mailHost) mailbox(t *testing.T) (messages []string) {
	t.Helper()
	files, err := filepath.Glob(h.dir + "/mail/all/new/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		raw, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		messages = append(messages, string(raw))
	}
	return messages
}

// awaitMail waits until a host has a message with all these texts.
func (h *mailHost) awaitMail(t *testing.T, texts ...string) (message string) {
	t.Helper()
	eventually(t, fmt.Sprintf("%s has mail with %q", h.name, texts), func() error {
		all := h.mailbox(t)
		for _, message = range all {
			if found := notShown(texts, message); found == "" {
				return nil
			}
		}
		return fmt.Errorf("it has\n%s\n%s", strings.Join(all, "\n\n"), tailOf(h.log()))
	})
	return message
}

// handWith gives the host a message to hand on, with parameters of MAIL and of RCPT.
func (h *mailHost) handWith(t *testing.T, from, to, message string) {
	t.Helper()
	var c *smtp.Client
	eventually(t, h.name+" takes mail", func() (err error) { c, err = smtp.Dial(h.listens); return err })
	defer c.Close()
	for _, step := range []struct {
		line string
		code int
	}{{"EHLO localhost", 250}, {"MAIL FROM:" + from, 250}, {"RCPT TO:" + to, 250}, {"DATA", 354}} {
		id, err := c.Text.Cmd("%s", step.line)
		if err != nil {
			t.Fatal(err)
		}
		c.Text.StartResponse(id)
		_, answer, err := c.Text.ReadResponse(step.code)
		c.Text.EndResponse(id)
		if err != nil {
			t.Fatalf("%s: %s, %v", step.line, answer, err)
		}
	}
	w := c.Text.DotWriter()
	if _, err := w.Write([]byte(message)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if _, answer, err := c.Text.ReadResponse(250); err != nil {
		t.Fatal(answer, err)
	}
}

// TestPostfixIsToldOfDelivery: a sender who asks his Postfix for it is told by us that his message is in the inbox.
func TestPostfixIsToldOfDelivery(t *testing.T) {
	t.Parallel()
	names := serveDNS(t)
	mx := freePort(t, "127.0.0.2")
	here := start(t, names.setting(), `hostname = "mx.here.example"`, `default_domain = "here.example"`, "delivery.mx_port = "+mx, `smtp.trusted = ""`)
	sender := postfixAt(t, "127.0.0.2:"+mx, mailboxesFor(t, "sender.example", here.SMTP)...)
	names.publish(`
sender.example. 60 IN MX 10 postfix.sender.example.
sender.example. 60 IN TXT "v=spf1 ip4:127.0.0.2 -all"
postfix.sender.example. 60 IN A 127.0.0.2
forged.example. 60 IN MX 10 postfix.sender.example.
`)
	here.sdk(here.Key).call("inboxes.create", nil, arg{"username": "bob"})
	const message = "From: sue@sender.example\r\nTo: bob@here.example\r\nSubject: Contract\r\nMessage-ID: <contract@sender.example>\r\n\r\nSign here.\r\n"
	sender.handWith(t, "<sue@sender.example> RET=HDRS ENVID=QQ+2B314159", "<bob+legal@here.example> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;Bob.Legal@old.example", message)
	told := sender.awaitMail(t, "Subject: Mail was delivered", "Original-Envelope-Id: QQ+2B314159", "Reporting-MTA: dns; mx.here.example", "Original-Recipient: rfc822; Bob.Legal@old.example",
		"Final-Recipient: rfc822; bob+legal@here.example", "Action: delivered", "Status: 2.", "Subject: Contract")
	if strings.Contains(told, "Sign here.") || !strings.Contains(told, "Return-Path: <>\n") {
		t.Errorf("RET=HDRS is not obeyed, or it comes from somebody:\n%s", told)
	}
	sender.handWith(t, "<sue@sender.example> RET=FULL", "<bob@here.example> NOTIFY=SUCCESS", strings.ReplaceAll(message, "contract", "full"))
	sender.awaitMail(t, "Action: delivered", "<full@sender.example>", "Sign here.")

	sender.handWith(t, "<victim@forged.example>", "<bob@here.example> NOTIFY=SUCCESS", strings.ReplaceAll(message, "contract", "forged"))
	sender.handWith(t, "<sue@sender.example>", "<bob@here.example> NOTIFY=NEVER", strings.ReplaceAll(message, "contract", "never"))
	eventually(t, "bob has them all", func() error {
		if all := here.subjects("bob@here.example"); len(all) != 4 {
			return fmt.Errorf("he has %q", all)
		}
		return nil
	})
	sender.handWith(t, "<sue@sender.example>", "<bob@here.example> NOTIFY=SUCCESS", strings.ReplaceAll(message, "contract", "last"))
	sender.awaitMail(t, "Action: delivered", "<last@sender.example>")
	for _, m := range sender.mailbox(t) {
		if strings.Contains(m, "<forged@") || strings.Contains(m, "<never@") || strings.Contains(m, "Action: relayed") {
			t.Errorf("nobody was to be told:\n%s", m)
		}
	}
}
