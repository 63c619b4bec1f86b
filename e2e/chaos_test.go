package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

const (
	chaosTransfers = 16 // at a time
	hurryEvery     = 300 * time.Millisecond
	endOfText      = "This is the last line."
)

// chaos sends through a server that is killed again and again, to a host that does everything wrong.
type chaos struct {
	*Podmail
	host    *hostile
	inboxes []string

	mu       sync.Mutex
	sent     map[copyTaken]bool         // what was answered with 200, by message and recipient
	noted    map[int]map[copyTaken]bool // in each life, what the log says was delivered and written down
	attempts int
}

// TestChaos: the other side dies, stalls, talks nonsense, refuses for now, hangs up anywhere, and takes messages without
// saying so, while our process is killed at any moment of it. In the end everything that was acknowledged is there, whole;
// twice only what the other side did not say it had, or what we could not write down any more when we were killed.
func TestChaos(t *testing.T) {
	t.Parallel()
	const lives, perLife = 7, 12
	names := serveDNS(t)
	hosts := []string{"127.0.0.11", "127.0.0.12", "127.0.0.13"}
	port := freePort(t, hosts...)
	zone := ""
	for i, a := range hosts {
		zone += fmt.Sprintf("d%[1]d.example. 60 IN MX 10 mx.d%[1]d.example.\nmx.d%[1]d.example. 60 IN A %[2]s\n", i, a)
	}
	names.publish(zone)
	c := &chaos{host: startHostile(t, 1, port, hosts...), sent: map[copyTaken]bool{}, noted: map[int]map[copyTaken]bool{}}
	c.Podmail = start(t, names.setting(), "delivery.mx_port = "+port, fmt.Sprintf("delivery.transfers = %d", chaosTransfers), `http.listen = "127.0.0.1:`+freePort(t, "127.0.0.1")+`"`)
	for i := range 3 {
		var made struct {
			PodID   string `json:"pod_id"`
			InboxID string `json:"inbox_id"`
		}
		c.must("POST", "/v0/pods", arg{"name": fmt.Sprint("Pod ", i)}, &made)
		c.must("POST", "/v0/pods/"+made.PodID+"/inboxes", arg{"username": fmt.Sprint("sender", i)}, &made)
		c.inboxes = append(c.inboxes, made.InboxID)
	}
	luck := rand.New(rand.NewPCG(1, 2))
	for life := range lives {
		c.live(life, perLife, luck)
	}
	c.host.behave(0, lives, 0)
	eventually(t, "nothing waits any more", func() error {
		waiting := c.hurry()
		if waiting > 0 {
			time.Sleep(hurryEvery)
			return fmt.Errorf("%d wait", waiting)
		}
		return nil
	})
	c.note(lives)
	c.check(lives)
}

// live sends some messages and has the queue hurry until the server is killed, and starts it again.
func (c *chaos) live(life, messages int, luck *rand.Rand) {
	c.t.Helper()
	burnt := c.host.behave(3+luck.IntN(15), life, 40+luck.IntN(400))
	if life%3 == 2 {
		c.host.die()
		time.AfterFunc(time.Second, c.host.revive)
	}
	var busy sync.WaitGroup
	killed := make(chan struct{})
	for i, inbox := range c.inboxes {
		busy.Go(func() {
			for n := range messages {
				if !c.send(inbox, fmt.Sprintf("life %d, message %d", life, n), i+n) {
					return
				}
			}
		})
	}
	busy.Go(func() {
		for {
			select {
			case <-killed:
				return
			case <-time.After(hurryEvery):
				c.hurry()
			}
		}
	})
	select {
	case <-burnt:
	case <-time.After(15 * time.Second): // everything was sent before
	}
	if err := c.end(syscall.SIGKILL); err == nil {
		c.t.Fatal("the process did not die of SIGKILL")
	}
	close(killed)
	busy.Wait()
	c.note(life)
	c.serve()
}

// send writes to several people at several places, and notes it if it was acknowledged.
func (c *chaos) send(inbox, subject string, n int) bool {
	var to []string
	for i := range 1 + n%4 {
		to = append(to, fmt.Sprintf("reader%d@d%d.example", i, (n+i/2)%3))
	}
	var sent struct {
		MessageID string `json:"message_id"`
	}
	if !c.call("POST", "/v0/inboxes/"+inbox+"/messages/send", arg{"to": to, "subject": subject, "text": strings.Repeat("Line after line.\n", n%40) + endOfText}, &sent) {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, r := range to {
		c.sent[copyTaken{messageID: sent.MessageID, recipient: r}] = true
	}
	return true
}

// hurry has everything that failed once tried now, and returns how much waits at least.
func (c *chaos) hurry() (waiting int) {
	for path := "/v0/queue?limit=100"; ; {
		var page struct {
			Deliveries []struct {
				ID       string    `json:"delivery_id"`
				Attempts int       `json:"attempt_count"`
				Next     time.Time `json:"next_attempt_at"`
			}
			Next string `json:"next_page_token"`
		}
		if !c.call("GET", path, nil, &page) {
			return 1
		}
		waiting += len(page.Deliveries)
		for _, d := range page.Deliveries {
			if d.Attempts > 0 && time.Until(d.Next) > 0 {
				c.call("POST", "/v0/queue/"+d.ID+"/retry", arg{}, nil)
			}
		}
		if page.Next == "" {
			return waiting
		}
		path = "/v0/queue?limit=100&page_token=" + url.QueryEscape(page.Next)
	}
}

// call asks the API. false: the server is gone, or the delivery that it is about is.
func (c *chaos) call(method, path string, body, into any) bool {
	b, err := json.Marshal(body)
	if err != nil {
		c.t.Error(err)
	}
	r, err := http.NewRequest(method, c.direct+path, bytes.NewReader(b))
	if err != nil {
		c.t.Error(err)
		return false
	}
	r.Header.Set("Authorization", "Bearer "+c.Key)
	r.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return false
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode == http.StatusConflict {
		return false
	}
	if answer.StatusCode/100 != 2 {
		c.t.Errorf("%s %s: %s: %s", method, path, answer.Status, text)
		return false
	}
	if into == nil {
		return true
	}
	if err := json.Unmarshal(text, into); err != nil {
		c.t.Errorf("%s %s: %v", method, path, err)
	}
	return err == nil
}

// must is call of a server that is there.
func (c *chaos) must(method, path string, body, into any) {
	c.t.Helper()
	if !c.call(method, path, body, into) {
		c.t.Fatal(method, path)
	}
}

var deliveredLine = regexp.MustCompile(`msg=delivered .*message_id="?(<[^>]+>)"? recipient="?([^" ]+)`)

// note reads from the log of a life what was delivered, which it says when that is written down.
func (c *chaos) note(life int) {
	noted := map[copyTaken]bool{}
	log := c.log.String()
	for _, m := range deliveredLine.FindAllStringSubmatch(log, -1) {
		noted[copyTaken{messageID: m[1], recipient: m[2]}] = true
	}
	c.attempts += strings.Count(log, "msg=carried")
	c.noted[life] = noted
	for _, bad := range []string{"DATA RACE", "panic:", "level=ERROR", "msg=bounced"} {
		if strings.Contains(log, bad) {
			c.t.Errorf("the log of life %d has %q:\n%s", life, bad, log)
		}
	}
}

// check compares the host's books with ours. No process was killed after the last life.
func (c *chaos) check(lastLife int) {
	c.host.mu.Lock()
	defer c.host.mu.Unlock()
	last := map[copyTaken]copyTaken{}
	lost, killed, doubled := 0, 0, map[int]map[string]bool{}
	for _, x := range c.host.copies {
		who := copyTaken{messageID: x.messageID, recipient: x.recipient}
		before, again := last[who]
		last[who] = x
		if !x.told {
			lost++
		}
		switch {
		case !again || !before.told:
		case before.life == lastLife || before.life == x.life || c.noted[before.life][who]:
			c.t.Errorf("%s came twice to %s, in lives %d and %d, though the host had said that it has it", x.messageID, x.recipient, before.life, x.life)
		default:
			killed++
			if doubled[before.life] == nil {
				doubled[before.life] = map[string]bool{}
			}
			doubled[before.life][x.messageID+x.recipient[strings.IndexByte(x.recipient, '@'):]] = true
		}
	}
	for who := range c.sent {
		if _, ok := last[who]; !ok {
			c.t.Errorf("%s never came to %s", who.messageID, who.recipient)
		}
	}
	for life, messages := range doubled {
		if len(messages) > chaosTransfers {
			c.t.Errorf("%d messages came again after life %d was ended, more than were on their way", len(messages), life)
		}
	}
	if lost == 0 || len(c.sent) < 50 {
		c.t.Errorf("it was no chaos: %d last words lost, %d sent", lost, len(c.sent))
	}
	c.t.Logf("%d recipients, %d attempts, %d copies, %d of them without a last word, %d again after a kill; %v", len(c.sent), c.attempts, len(c.host.copies), lost, killed, c.host.played)
}
