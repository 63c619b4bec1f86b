package imap_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"podmail/mail"
)

// TestDialogs plays the conversations in testdata: C: what a client says, S: what it must hear, with … for anything.
// C2: and S2: are a second client. A line that starts with > does something beside IMAP:
//
//	> deliver NAME                  mail from outside arrives (messages, below)
//	> label N add=LABEL remove=…    the API changes labels of the N-th message of the inbox, oldest first
//	> labels N LABEL,…              the API sees exactly these labels on it
//
// $USER and $KEY, or $PLAIN as SASL writes them, stand for what to log in with. A file starts with a world of its own, and logged in if it says so.
func TestDialogs(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no dialogs: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			p := &player{t: t, door: open(t), clients: map[string]*wireClient{}}
			for i, line := range strings.Split(string(text), "\n") {
				if testing.Verbose() {
					t.Logf("%d %s", i+1, line)
				}
				if !p.play(line) {
					t.Fatalf("%s:%d", file, i+1)
				}
			}
		})
	}
}

// messages are what arrives in dialogs.
var messages = map[string]string{
	"plain": "From: Bob <bob@example.com>\r\nTo: alice@podmail.test\r\nSubject: Lunch\r\nDate: Fri, 2 Jan 2026 03:00:00 +0000\r\nMessage-ID: <lunch@example.com>\r\n\r\nAt noon?\r\n",
	"reply": "From: Bob <bob@example.com>\r\nTo: alice@podmail.test\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\nDate: Sat, 3 Jan 2026 03:00:00 +0000\r\nMessage-ID: <reply@example.com>\r\nIn-Reply-To: <lunch@example.com>\r\n\r\nNeedle in a haystack\r\n",
	"mixed": strings.ReplaceAll("From: bob@example.com\nTo: alice@podmail.test\nSubject: Picture\nMessage-ID: <mixed@example.com>\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\ncaf=C3=A9\n--b\nContent-Type: image/png; name=dot.png\nContent-Transfer-Encoding: base64\nContent-Disposition: attachment; filename=dot.png\n\niVBORw==\n--b--\n", "\n", "\r\n"),
}

type player struct {
	t       *testing.T
	door    *door
	clients map[string]*wireClient
}

func (p *player) play(line string) bool {
	p.t.Helper()
	line = strings.NewReplacer("$USER", alice, "$KEY", p.door.key, "$PLAIN", plain(alice, p.door.key)).Replace(line)
	if line == "" || strings.HasPrefix(line, "#") {
		return true
	}
	if command, ok := strings.CutPrefix(line, "> "); ok {
		return p.do(strings.Fields(command))
	}
	who, said, ok := strings.Cut(line, ":")
	said = strings.TrimPrefix(said, " ")
	if !ok || len(who) < 1 || who[0] != 'C' && who[0] != 'S' {
		p.t.Errorf("cannot read %q", line)
		return false
	}
	c := p.clients[who[1:]]
	if c == nil {
		c = p.door.dial(p.t)
		p.clients[who[1:]] = c
	}
	if who[0] == 'C' {
		c.send("%s\r\n", said)
		return true
	}
	pattern := "^" + strings.ReplaceAll(regexp.QuoteMeta(said), "…", ".*") + "$"
	if got := c.line(); !regexp.MustCompile(pattern).MatchString(got) {
		p.t.Errorf("heard\n  %s\nexpected\n  %s", got, said)
		return false
	}
	return true
}

func (p *player) do(words []string) bool {
	p.t.Helper()
	switch words[0] {
	case "login": // of one client, without the chatter
		c := p.door.login(p.t)
		p.clients[strings.Join(words[1:], "")] = c
		return true
	case "deliver":
		p.door.Deliver(p.t, alice, messages[words[1]])
		return true
	case "label", "labels":
		n, _ := strconv.Atoi(words[1])
		list, _, err := p.door.Server.ListMessages(p.t.Context(), p.door.alice, mail.MessageFilter{Include: ^mail.Hidden(0)}, mail.Page{Limit: 100, Ascending: true})
		if err != nil || len(list) < n {
			p.t.Errorf("message %d of %d: %v", n, len(list), err)
			return false
		}
		m := list[n-1]
		if words[0] == "labels" {
			if got := strings.Join(m.Labels, ","); got != words[2] {
				p.t.Errorf("the API sees %s, expected %s", got, words[2])
				return false
			}
			return true
		}
		var add, remove []string
		for _, w := range words[2:] {
			if l, ok := strings.CutPrefix(w, "add="); ok {
				add = append(add, l)
			} else if l, ok := strings.CutPrefix(w, "remove="); ok {
				remove = append(remove, l)
			}
		}
		_, err = p.door.Server.UpdateMessage(p.t.Context(), p.door.alice, m.MessageID, add, remove)
		if err != nil {
			p.t.Errorf("label: %v", err)
		}
		return err == nil
	}
	p.t.Errorf("cannot do %q", words)
	return false
}
