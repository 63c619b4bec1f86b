package e2e

import (
	"bufio"
	"math/rand/v2"
	"net"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// hostile is another host that does whatever a host can do wrong, and keeps the books about it: which message it has
// taken for whom, and whether it has said so.
type hostile struct {
	t         *testing.T
	addresses []string
	seed      uint64

	mu        sync.Mutex
	listeners []net.Listener
	open      map[net.Conn]bool
	opened    uint64
	temper    int            // of 100 steps, so many go wrong
	life      int            // of the process that connects, the how-manieth
	copies    []copyTaken    // in the order in which they were taken
	played    map[string]int // what went wrong, how often
	fuse      int            // steps until burnt is closed; 0: it does not burn
	burnt     chan struct{}
	sessions  sync.WaitGroup
}

// copyTaken is a message that the host has taken for a recipient.
type copyTaken struct {
	messageID, recipient string
	life                 int  // of the process that brought it
	told                 bool // the whole 250 was sent
}

// The steps at which things go wrong, and what does: all of it temporary, or a lie that must not be believed.
var (
	nonsense = []string{"what?", "", "\x00\xff\xfe\x80", "2 50 ok", "600 of another world", "099 too small", "354 go on", "250", "250ok", "-250 ok", strings.Repeat("250", 2000),
		strings.Repeat("250-still thinking\r\n", 200) + "250 ok", "334 VXNlcm5hbWU6", "1", "25"}
	later = []string{"421 4.3.2 going down", "450 4.2.0 greylisted", "451 4.3.0 try again", "452 4.3.1 full", "454 4.7.0 not so fast", "400", "421 4.7.0 too much from you"}
)

func startHostile(t *testing.T, seed uint64, port string, addresses ...string) *hostile {
	h := &hostile{t: t, seed: seed, open: map[net.Conn]bool{}, played: map[string]int{}}
	for _, a := range addresses {
		h.addresses = append(h.addresses, net.JoinHostPort(a, port))
	}
	h.revive()
	t.Cleanup(func() {
		h.die()
		h.sessions.Wait()
	})
	return h
}

// revive listens.
func (h *hostile) revive() {
	h.t.Helper()
	for _, a := range h.addresses {
		l, err := net.Listen("tcp", a)
		if err != nil {
			h.t.Fatal(err)
		}
		h.mu.Lock()
		h.listeners = append(h.listeners, l)
		h.mu.Unlock()
		h.sessions.Go(func() {
			for {
				conn, err := l.Accept()
				if err != nil {
					return
				}
				h.sessions.Go(func() { h.serve(conn) })
			}
		})
	}
}

// die takes the host away, in the middle of whatever it does.
func (h *hostile) die() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, l := range h.listeners {
		_ = l.Close()
	}
	h.listeners = nil
	for conn := range h.open {
		_ = conn.Close()
	}
}

// behave sets how much goes wrong from now on, and which life of the process this is. After so many further steps the
// channel is closed.
func (h *hostile) behave(temper, life, fuse int) (burnt <-chan struct{}) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.temper, h.life, h.fuse, h.burnt = temper, life, fuse, make(chan struct{})
	return h.burnt
}

// guest is a session. What goes wrong in it depends on the seed and on how many there were before.
type guest struct {
	*hostile
	net.Conn
	r          *bufio.Reader
	luck       *rand.Rand
	life       int // of the process at the other end
	temper     int
	recipients []string // of the transaction
}

func (h *hostile) serve(conn net.Conn) {
	h.mu.Lock()
	h.opened++
	g := &guest{hostile: h, Conn: conn, r: bufio.NewReader(conn), luck: rand.New(rand.NewPCG(h.seed, h.opened)), life: h.life, temper: h.temper}
	h.open[conn] = true
	h.mu.Unlock()
	defer func() {
		h.mu.Lock()
		delete(h.open, conn)
		h.mu.Unlock()
		_ = conn.Close()
	}()
	if _, goesOn := g.answer("220 mx.hostile.example ESMTP"); !goesOn {
		return
	}
	for g.command() {
	}
}

// step counts towards the fuse.
func (g *guest) step() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.life != g.hostile.life || g.fuse == 0 {
		return
	}
	if g.fuse--; g.fuse == 0 {
		close(g.burnt)
	}
}

// play notes what goes wrong, and is false: most of it ends the session.
func (g *guest) play(what string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.played[what]++
	return false
}

// say sends a reply. false: it could not be sent.
func (g *guest) say(reply string) bool {
	_ = g.SetWriteDeadline(time.Now().Add(10 * time.Second))
	_, err := g.Write([]byte(reply + "\r\n"))
	return err == nil
}

// answer gives a reply, or does something else instead, and returns what it said. false: the session is over.
func (g *guest) answer(reply string) (said string, goesOn bool) {
	g.step()
	if g.luck.IntN(100) >= g.temper {
		return reply, g.say(reply)
	}
	switch g.luck.IntN(7) {
	case 0:
		return "", g.play("hang up")
	case 1:
		g.play("stall")
		time.Sleep(time.Duration(g.luck.IntN(400)) * time.Millisecond)
		return reply, g.luck.IntN(2) == 0 && g.say(reply)
	case 2:
		g.play("nonsense")
		said = nonsense[g.luck.IntN(len(nonsense))]
		return said, g.say(said)
	case 3:
		g.play("cut")
		_, _ = g.Write([]byte(reply + "\r\n")[:g.luck.IntN(len(reply)+2)])
		return "", false
	case 4:
		g.play("twice")
		return reply, !strings.HasPrefix(reply, "354") && g.say(reply+"\r\n"+reply)
	default:
		g.play("later")
		said = later[g.luck.IntN(len(later))]
		return said, g.say(said) && !strings.HasPrefix(said, "421")
	}
}

// command takes one. false: the session is over.
func (g *guest) command() bool {
	_ = g.SetReadDeadline(time.Now().Add(time.Minute))
	line, err := g.r.ReadString('\n')
	if err != nil {
		return false
	}
	line = strings.TrimSuffix(line, "\r\n")
	verb, _, _ := strings.Cut(strings.ToUpper(line), " ")
	switch verb {
	case "EHLO":
		offers := "250-mx.hostile.example\r\n250-8BITMIME\r\n250-SIZE 10000000\r\n"
		if g.luck.IntN(2) == 0 {
			offers += "250-PIPELINING\r\n"
		}
		_, goesOn := g.answer(offers + "250 HELP")
		return goesOn
	case "MAIL", "RSET":
		g.recipients = nil
		_, goesOn := g.answer("250 2.1.0 ok")
		return goesOn
	case "RCPT":
		said, goesOn := g.answer("250 2.1.5 ok")
		if strings.HasPrefix(said, "250") {
			g.recipients = append(g.recipients, strings.ToLower(line[strings.IndexByte(line, '<')+1:strings.IndexByte(line, '>')]))
		}
		return goesOn
	case "DATA":
		if len(g.recipients) == 0 {
			return g.say("503 5.5.1 nobody takes it")
		}
		said, goesOn := g.answer("354 go on")
		return goesOn && (said != "354 go on" || g.body())
	case "QUIT":
		g.say("221 2.0.0 bye")
		return false
	}
	return g.say("500 5.5.2 what?")
}

// body takes a message, or hangs up before its end. false: the session is over.
func (g *guest) body() bool {
	var message strings.Builder
	end := -1
	if g.luck.IntN(100) < g.temper {
		end = g.luck.IntN(20)
	}
	for n := 0; n != end; n++ {
		line, err := g.r.ReadString('\n')
		if err != nil {
			return false
		}
		if line == ".\r\n" {
			return g.end(message.String())
		}
		message.WriteString(line)
	}
	if g.luck.IntN(2) == 0 {
		g.say(later[0])
	}
	return g.play("hang up in the body")
}

var messageIDField = regexp.MustCompile(`(?im)^Message-ID:\s*(<\S+>)`)

// end takes the message, or does not, and says so, or does not.
func (g *guest) end(message string) bool {
	m := messageIDField.FindStringSubmatch(message)
	if m == nil || !strings.HasSuffix(strings.TrimRight(message, "\r\n"), endOfText) {
		g.t.Errorf("taken as whole, but it is not:\n%s", message)
		return false
	}
	g.step()
	goesWrong := g.luck.IntN(100) < 2*g.temper
	if goesWrong && g.luck.IntN(4) == 0 {
		g.play("refuse the message")
		return g.say(later[1])
	}
	told := g.take(m[1])
	const reply = "250 2.0.0 taken"
	if !goesWrong || g.luck.IntN(3) == 0 {
		if goesWrong {
			g.play("stall before the last word")
			time.Sleep(time.Duration(g.luck.IntN(400)) * time.Millisecond)
		}
		if !g.say(reply) {
			return false
		}
		told()
		g.step()
		return !goesWrong || g.play("hang up after the last word")
	}
	if g.luck.IntN(3) == 0 {
		g.play("nonsense for the last word")
		if g.say(nonsense[0]) {
			return true
		}
	}
	_, _ = g.Write([]byte(reply + "\r\n")[:g.luck.IntN(len(reply)+1)])
	return g.play("lose the last word")
}

// take notes that the host has the message, and returns how to note that it said so.
func (g *guest) take(messageID string) (told func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	from := len(g.copies)
	for _, r := range g.recipients {
		g.copies = append(g.copies, copyTaken{messageID: messageID, recipient: r, life: g.life})
	}
	until := len(g.copies)
	return func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		for i := range g.copies[from:until] {
			g.copies[from+i].told = true
		}
	}
}
