package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// takingMail starts an installation that takes mail under TLS, up to 60 MiB.
func takingMail(t *testing.T) *Podmail {
	t.Helper()
	cert, key, _ := certificateFor(t, "mail.example.com")
	return start(t, `hostname = "mail.example.com"`, `tls.cert = "`+cert+`"`, `tls.key = "`+key+`"`, `smtp.max_message_size = "60MiB"`)
}

// hosts are the servers that bring mail to address.
func hosts(t *testing.T, address string, each func(t *testing.T, h *mailHost)) {
	for name, start := range map[string]func(*testing.T, string) *mailHost{"Postfix": postfix, "Exim": exim} {
		t.Run(name, func(t *testing.T) { each(t, start(t, address)) })
	}
}

// get asks the API, as a program without a library would.
func (p *Podmail) fetch(path string, into any) {
	p.t.Helper()
	r, err := http.NewRequest("GET", p.API+path, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+p.Key)
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		p.t.Fatal(err)
	}
	defer answer.Body.Close()
	if err := json.NewDecoder(answer.Body).Decode(into); err != nil || answer.StatusCode != 200 {
		p.t.Fatalf("GET %s: %s, %v", path, answer.Status, err)
	}
}

// subjects lists what is in an inbox; in all inboxes if it is empty.
func (p *Podmail) subjects(inbox string) (subjects []string) {
	p.t.Helper()
	path := "/v0/threads?limit=100"
	if inbox != "" {
		path = "/v0/inboxes/" + inbox + "/threads?limit=100"
	}
	for page := ""; ; {
		var list struct {
			Next    string `json:"next_page_token"`
			Threads []struct {
				Subject string `json:"subject"`
				Count   int    `json:"message_count"`
			} `json:"threads"`
		}
		p.fetch(path+page, &list)
		for _, th := range list.Threads {
			for range th.Count {
				subjects = append(subjects, th.Subject)
			}
		}
		if list.Next == "" {
			return subjects
		}
		page = "&page_token=" + list.Next
	}
}

// arrive waits until everything is there that was sent, and wants each once. Nothing is on its way then.
func (p *Podmail) arrive(t *testing.T, inbox string, want []string) {
	t.Helper()
	eventually(t, fmt.Sprintf("%d messages", len(want)), func() error {
		got := p.subjects(inbox)
		for _, s := range want {
			if count(got, s) == 0 {
				return fmt.Errorf("%d are there, but not %q", len(got), s)
			}
		}
		return nil
	})
	got := p.subjects(inbox)
	for _, s := range want {
		if n := count(got, s); n != 1 {
			t.Errorf("%q is there %d times", s, n)
		}
	}
}

// TestOtherServersBringTheirMail: what servers of the world send arrives as it is, under TLS.
func TestOtherServersBringTheirMail(t *testing.T) {
	t.Parallel()
	podmail := takingMail(t)
	admin := podmail.sdk(podmail.Key)
	hosts(t, podmail.SMTP, func(t *testing.T, h *mailHost) {
		var inbox Inbox
		admin.call("inboxes.create", &inbox, arg{"username": strings.ToLower(strings.ReplaceAll(t.Name()[strings.LastIndex(t.Name(), "/")+1:], " ", ""))})
		messages := map[string]string{
			"plain": "From: a@example.org\r\nMessage-ID: <plain@" + h.name + ">\r\nSubject: plain\r\n\r\nhello\r\n.\r\n..dots\r\n",
			"8-bit": "From: a@example.org\r\nMessage-ID: <8bit@" + h.name + ">\r\nSubject: 8-bit\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\nGrüße\r\n",
			"Grüße": "From: Jürgen <jürgen@bücher.example>\r\nMessage-ID: <utf8@" + h.name + ">\r\nSubject: Grüße\r\n\r\nx\r\n",
		}
		for name, m := range messages {
			from := "a@example.org"
			if name == "Grüße" {
				from = "jürgen@bücher.example"
			}
			h.hand(t, from, m, inbox.InboxID)
		}
		podmail.arrive(t, inbox.InboxID, []string{"plain", "8-bit", "Grüße"})
		for _, f := range podmail.imaplib(inbox.InboxID, podmail.Key, "INBOX") {
			header, body, _ := bytes.Cut(f.Raw, []byte("\r\n\r\n"))
			if !strings.Contains(string(header), "from "+h.name+" (") || !strings.Contains(string(header), "SMTPS (TLS 1.3 ") {
				t.Errorf("the trace does not tell of the host, or of TLS:\n%s", header)
			}
			sent := false
			for _, m := range messages {
				_, want, _ := strings.Cut(m, "\r\n\r\n")
				sent = sent || string(body) == want
			}
			if !sent {
				t.Errorf("not as it was sent: %q", body)
			}
		}
	})
}

// TestALargeMessageArrives: 50 MB, byte for byte.
func TestALargeMessageArrives(t *testing.T) {
	t.Parallel()
	podmail := takingMail(t)
	admin := podmail.sdk(podmail.Key)
	body := strings.Repeat(strings.Repeat("0123456789", 7)+"\r\n", 50_000_000/72)
	hosts(t, podmail.SMTP, func(t *testing.T, h *mailHost) {
		var inbox Inbox
		admin.call("inboxes.create", &inbox, arg{})
		h.hand(t, "a@example.org", "From: a@example.org\r\nMessage-ID: <large@"+h.name+">\r\nSubject: large\r\n\r\n"+body, inbox.InboxID)
		podmail.arrive(t, inbox.InboxID, []string{"large"})
		raw := admin.raw(inbox.InboxID, "<large@"+h.name+">")
		if !bytes.HasSuffix(raw, []byte("\r\n\r\n"+body)) {
			t.Errorf("%d bytes arrived, not as they were sent", len(raw))
		}
	})
}

// TestAThousandRecipientsGetOneMessageEach, brought in one transaction.
func TestAThousandRecipientsGetOneMessageEach(t *testing.T) {
	t.Parallel()
	podmail := takingMail(t)
	var all []string
	for i := range 1000 {
		all = append(all, fmt.Sprintf("r%d@podmail.localhost", i))
	}
	podmail.makeInboxes(all)
	hosts(t, podmail.SMTP, func(t *testing.T, h *mailHost) {
		h.hand(t, "a@example.org", "From: a@example.org\r\nMessage-ID: <all@"+h.name+">\r\nSubject: by "+h.name+"\r\n\r\nx\r\n", all...)
		eventually(t, "1,000 messages", func() error {
			if n := count(podmail.subjects(""), "by "+h.name); n != len(all) {
				return fmt.Errorf("%d are there", n)
			}
			return nil
		})
		for _, inbox := range []string{all[0], all[499], all[999]} {
			if n := count(podmail.subjects(inbox), "by "+h.name); n != 1 {
				t.Errorf("%s has it %d times", inbox, n)
			}
		}
	})
}

func count(all []string, one string) (n int) {
	for _, s := range all {
		if s == one {
			n++
		}
	}
	return n
}

// makeInboxes makes inboxes by API, some at a time.
func (p *Podmail) makeInboxes(addresses []string) {
	p.t.Helper()
	var all sync.WaitGroup
	some := make(chan struct{}, 8)
	for _, address := range addresses {
		all.Go(func() {
			some <- struct{}{}
			defer func() { <-some }()
			name, _, _ := strings.Cut(address, "@")
			r, err := http.NewRequest("POST", p.API+"/v0/inboxes", strings.NewReader(`{"username": "`+name+`"}`))
			if err != nil {
				p.t.Error(err)
				return
			}
			r.Header.Set("Authorization", "Bearer "+p.Key)
			answer, err := http.DefaultClient.Do(r)
			if err != nil || answer.StatusCode != 200 {
				p.t.Errorf("inbox %s: %v %v", address, answer, err)
				return
			}
			answer.Body.Close()
		})
	}
	all.Wait()
}

// TestNothingIsLostOrDoubledWhenConnectionsBreak: the line between the servers is cut after some bytes, in either
// direction, again and again.
func TestNothingIsLostOrDoubledWhenConnectionsBreak(t *testing.T) {
	t.Parallel()
	podmail := takingMail(t)
	admin := podmail.sdk(podmail.Key)
	var mu sync.Mutex
	cuts := 40
	address := line(t, podmail.SMTP, func(c *wire) {
		mu.Lock()
		defer mu.Unlock()
		if cuts--; cuts >= 0 {
			c.up, c.down = rand.IntN(12_000), rand.IntN(6_000)
		}
	})
	hosts(t, address, func(t *testing.T, h *mailHost) {
		mu.Lock()
		cuts = 40
		mu.Unlock()
		var inbox Inbox
		admin.call("inboxes.create", &inbox, arg{})
		var want []string
		for i := range 20 {
			subject := fmt.Sprintf("%d by %s", i, h.name)
			want = append(want, subject)
			h.hand(t, "a@example.org", fmt.Sprintf("From: a@example.org\r\nMessage-ID: <%d@%s>\r\nSubject: %s\r\n\r\n%s", i, h.name, subject, strings.Repeat("x\r\n", 2000)), inbox.InboxID)
		}
		podmail.arrive(t, inbox.InboxID, want)
		mu.Lock()
		left := cuts
		mu.Unlock()
		if left > 30 {
			t.Errorf("only %d connections were cut", 40-left)
		}
	})
}

// TestASlowLineIsNoReasonToHangUp: it carries a few KB a second.
func TestASlowLineIsNoReasonToHangUp(t *testing.T) {
	t.Parallel()
	podmail := takingMail(t)
	admin := podmail.sdk(podmail.Key)
	address := line(t, podmail.SMTP, func(c *wire) { c.pause = 20 * time.Millisecond })
	hosts(t, address, func(t *testing.T, h *mailHost) {
		var inbox Inbox
		admin.call("inboxes.create", &inbox, arg{})
		h.hand(t, "a@example.org", "From: a@example.org\r\nMessage-ID: <slow@"+h.name+">\r\nSubject: by "+h.name+"\r\n\r\n"+strings.Repeat("x\r\n", 5000), inbox.InboxID)
		podmail.arrive(t, inbox.InboxID, []string{"by " + h.name})
	})
}

// wire is one connection of a line: how much it carries until it breaks (0: all), and how slowly.
type wire struct {
	up, down int
	pause    time.Duration // after each 100 bytes
}

// line is a way to target that is as bad as each connection is told to be.
func line(t *testing.T, target string, tell func(*wire)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			near, err := l.Accept()
			if err != nil {
				return
			}
			far, err := net.Dial("tcp", target)
			if err != nil {
				near.Close()
				continue
			}
			c := &wire{}
			tell(c)
			go c.carry(far, near, c.up)
			go c.carry(near, far, c.down)
		}
	}()
	return l.Addr().String()
}

// carry copies until either side ends or the line breaks, which both sides see.
func (c *wire) carry(to, from net.Conn, most int) {
	defer to.Close()
	defer from.Close()
	if most > 0 {
		io.CopyN(to, from, int64(most)) // it ends this way or the other
		return
	}
	if c.pause == 0 {
		io.Copy(to, from)
		return
	}
	for {
		if _, err := io.CopyN(to, from, 100); err != nil {
			return
		}
		time.Sleep(c.pause)
	}
}
