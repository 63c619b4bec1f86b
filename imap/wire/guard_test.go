package wire

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"
)

// peer is a connection whose other side has said its lines beforehand.
type peer struct {
	chunks [][]byte
	said   bytes.Buffer // what it was sent
}

func (p *peer) Read(b []byte) (int, error) {
	if len(p.chunks) == 0 {
		return 0, io.EOF
	}
	n := copy(b, p.chunks[0])
	if p.chunks[0] = p.chunks[0][n:]; len(p.chunks[0]) == 0 {
		p.chunks = p.chunks[1:]
	}
	return n, nil
}

func (p *peer) Write(b []byte) (int, error)      { return p.said.Write(b) }
func (p *peer) Close() error                     { return nil }
func (p *peer) LocalAddr() net.Addr              { return nil }
func (p *peer) RemoteAddr() net.Addr             { return nil }
func (p *peer) SetDeadline(time.Time) error      { return nil }
func (p *peer) SetReadDeadline(time.Time) error  { return nil }
func (p *peer) SetWriteDeadline(time.Time) error { return nil }

// library reads commands as go-imap's server does, in miniature: "REFUSE" answers without taking the literal, "STUCK"
// reads on without taking it for one, "IDLE" prompts for a line.
func library(c *Conn) (commands []string) {
	r := bufio.NewReader(c)
	for {
		text, err := r.ReadString('\n')
		if err != nil {
			return commands
		}
		command := text
		tag, _, _ := strings.Cut(text, " ")
		switch {
		case strings.Contains(text, "IDLE"):
			fmt.Fprintf(c, "+ idling\r\n")
			done, err := r.ReadString('\n')
			if err != nil {
				return commands
			}
			command += done
		case strings.Contains(text, "REFUSE"):
			fmt.Fprintf(c, "%s NO refused\r\n", tag)
			commands = append(commands, command)
			continue
		case strings.Contains(text, "STUCK"):
			if _, err := r.ReadString('\n'); err != nil {
				return commands
			}
			fmt.Fprintf(c, "%s BAD Syntax error\r\n", tag)
			continue
		}
		for {
			size, silent, ok := announcement([]byte(text))
			if !ok {
				break
			}
			if size > 1<<20 {
				fmt.Fprintf(c, "%s NO too large\r\n", tag)
				break
			}
			if silent {
				return append(commands, "saw a literal plus")
			}
			fmt.Fprintf(c, "+ Ready\r\n") // which the guard keeps to itself after a literal plus
			body := make([]byte, size)
			if _, err := io.ReadFull(r, body); err != nil {
				return commands
			}
			if text, err = r.ReadString('\n'); err != nil {
				return commands
			}
			command += string(body) + text
		}
		commands = append(commands, command)
		fmt.Fprintf(c, "%s OK done\r\n", strings.TrimRight(tag, "\r\n"))
	}
}

// converse lets the miniature library talk to a peer that says these chunks.
func converse(authenticated bool, chunks ...[]byte) (commands []string, said string) {
	p := &peer{}
	for _, c := range chunks {
		if len(c) > 0 {
			p.chunks = append(p.chunks, bytes.Clone(c))
		}
	}
	var c *Conn
	c = New(p, Pool(), Options{
		Own: func(name string) bool { return name == "ID" || name == "UID OWN" },
		Answer: func(cmd Command) error {
			return c.Gather(fmt.Appendf(nil, "%s OK %s %q\r\n", cmd.Tag, cmd.Name, cmd.Args))
		},
		Append: "APPEND", AuthBy: time.Minute, Idle: time.Minute, Command: time.Minute, Write: time.Minute,
	})
	if authenticated {
		c.SetAuthenticated()
	}
	commands = library(c)
	_ = c.Close()
	return commands, p.said.String()
}

func TestGuard(t *testing.T) {
	long := strings.Repeat("x", MaxCommand)
	for _, tt := range []struct {
		name     string
		stranger bool
		in       string
		commands []string // that the library read whole
		said     string
	}{
		{name: "lines", in: "a NOOP\r\nb NOOP\r\n", commands: []string{"a NOOP\r\n", "b NOOP\r\n"}, said: "a OK done\r\nb OK done\r\n"},
		{name: "synchronizing literal", in: "a LOGIN {3}\r\nabc {1}\r\nd\r\n", commands: []string{"a LOGIN {3}\r\nabc {1}\r\nd\r\n"}, said: "+ Ready\r\n+ Ready\r\na OK done\r\n"},
		{name: "no continuation for a literal plus", in: "a LOGIN {3+}\r\nabc\r\n", commands: []string{"a LOGIN {3}\r\nabc\r\n"}, said: "a OK done\r\n"},
		{name: "empty literal", in: "a LOGIN {0+}\r\n\r\nb NOOP\r\n", commands: []string{"a LOGIN {0}\r\n\r\n", "b NOOP\r\n"}, said: "a OK done\r\nb OK done\r\n"},
		{name: "commands within a literal are no commands", in: "a LOGIN {11+}\r\nb ID NIL\r\n \r\n", commands: []string{"a LOGIN {11}\r\nb ID NIL\r\n \r\n"}, said: "a OK done\r\n"},
		{name: "refused literal plus is thrown away", in: "a REFUSE {9+}\r\nb EVIL\r\nx {2+}\r\nyz\r\nc NOOP\r\n", commands: []string{"a REFUSE {9}\r\n", "c NOOP\r\n"}, said: "a NO refused\r\nc OK done\r\n"},
		{name: "refused synchronizing literal is not sent", in: "a REFUSE {9}\r\nc NOOP\r\n", commands: []string{"a REFUSE {9}\r\n", "c NOOP\r\n"}, said: "a NO refused\r\nc OK done\r\n"},
		{name: "what the library takes for no literal", in: "a STUCK {9+}\r\nb EVIL\r\nx\r\nc NOOP\r\n", commands: []string{"c NOOP\r\n"}, said: "a BAD Syntax error\r\nc OK done\r\n"},
		{name: "oversized literal plus", in: "z NOOP\r\na LOGIN {4097+}\r\nb EVIL\r\n", commands: []string{"z NOOP\r\n"}, said: "z OK done\r\na BAD Non-synchronizing literals are limited to 4096 bytes\r\n* BYE Non-synchronizing literals are limited to 4096 bytes\r\n"},
		{name: "huge number", in: "a LOGIN {99999999999999999999+}\r\nb EVIL\r\n", said: "a BAD Non-synchronizing literals are limited to 4096 bytes\r\n* BYE Non-synchronizing literals are limited to 4096 bytes\r\n"},
		{name: "endless command", in: "z NOOP\r\na SEARCH " + long + "\r\nb EVIL\r\n", commands: []string{"z NOOP\r\n"}, said: "z OK done\r\na BAD Command too long\r\n* BYE Command too long\r\n"},
		{name: "endless tag", in: long + long, said: "* BYE Command too long\r\n"},
		{name: "large literal to append", in: "a APPEND x {70000}\r\n" + strings.Repeat("y", 70000) + "\r\n", commands: []string{"a APPEND x {70000}\r\n" + strings.Repeat("y", 70000) + "\r\n"}, said: "+ Ready\r\na OK done\r\n"},
		{name: "large literal elsewhere", in: "a LOGIN {70000}\r\n", said: "a BAD Literal too large for this command\r\n* BYE Literal too large for this command\r\n"},
		{name: "large literal of a stranger", stranger: true, in: "a APPEND x {70000}\r\n", said: "a BAD Literal too large for this command\r\n* BYE Literal too large for this command\r\n"},
		{name: "empty lines", in: "\r\na NOOP\r\n\n", commands: []string{"a NOOP\r\n"}, said: "a OK done\r\n"},
		{name: "no command", in: "hello\r\n(x) {3+}\r\nabc\r\na NOOP\r\n", commands: []string{"a NOOP\r\n"}, said: "* BAD That is no command\r\n* BAD That is no command\r\na OK done\r\n"},
		{name: "no command of a stranger", stranger: true, in: "hello\r\n\r\na NOOP\r\n", said: "* BYE That is no command\r\n"},
		{name: "line end in a quoted string", in: "a LOGIN \"x\r\nb EVIL\r\n", said: "a BAD End of line in a quoted string\r\n* BYE End of line in a quoted string\r\n"},
		{name: "own commands in their turn", in: "a NOOP\r\nb id NIL\r\nc uid own 1:* \"x\"\r\nd NOOP\r\n", commands: []string{"a NOOP\r\n", "d NOOP\r\n"}, said: "a OK done\r\nb OK ID \"NIL\"\r\nc OK UID OWN \"1:* \\\"x\\\"\"\r\nd OK done\r\n"},
		{name: "own command with literals", in: "b ID ({4}\r\nname {2+}\r\nxy)\r\nd NOOP\r\n", commands: []string{"d NOOP\r\n"}, said: "+ Ready for literal data\r\nb OK ID \"({4}\\r\\nname {2+}\\r\\nxy)\"\r\nd OK done\r\n"},
		{name: "a prompted line is no command", in: "a IDLE\r\nb ID NIL\r\nc NOOP\r\n", commands: []string{"a IDLE\r\nb ID NIL\r\n", "c NOOP\r\n"}, said: "+ idling\r\na OK done\r\nc OK done\r\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, size := range []int{1, 2, 3, 7, 100, len(tt.in)} {
				commands, said := converse(!tt.stranger, slices.Collect(slices.Chunk([]byte(tt.in), size))...)
				if !slices.Equal(commands, tt.commands) {
					t.Errorf("in chunks of %d the library read\n%.300q, want\n%.300q", size, commands, tt.commands)
				}
				if said != tt.said {
					t.Errorf("in chunks of %d the peer was told\n%.300q, want\n%.300q", size, said, tt.said)
				}
			}
		})
	}
}

func TestCorrect(t *testing.T) {
	c := New(&peer{}, Pool(), Options{Capabilities: []string{"ID"}})
	for in, want := range map[string]string{
		"* OK [CAPABILITY IMAP4rev1 IDLE] hi\r\n":        "* OK [CAPABILITY IMAP4rev1 ID IDLE] hi\r\n",
		"* OK [CAPABILITY IMAP4rev1] hi\r\n":             "* OK [CAPABILITY IMAP4rev1 ID] hi\r\n",
		"* CAPABILITY IMAP4rev1\r\n":                     "* CAPABILITY IMAP4rev1 ID\r\n",
		"a1 OK [CAPABILITY IMAP4rev1 IDLE] in\r\n":       "a1 OK [CAPABILITY IMAP4rev1 ID IDLE] in\r\n",
		"* LIST () \"/\" \"CAPABILITY IMAP4rev1 x\"\r\n": "* LIST () \"/\" \"CAPABILITY IMAP4rev1 x\"\r\n",
		"a NO [SERVERBUG] Internal server error\r\n":     "a BAD [CLIENTBUG] Syntax error\r\n",
	} {
		if got := string(c.correct([]byte(in))); got != want {
			t.Errorf("correct(%q) = %q, want %q", in, got, want)
		}
	}
}

// FuzzGuard: however the peer's bytes are cut, the library reads the same commands and the peer is told the same.
func FuzzGuard(f *testing.F) {
	f.Add([]byte("a LOGIN {3+}\r\nabc {0}\r\nx\r\nb ID NIL\r\n"), uint8(3))
	f.Add([]byte("a REFUSE {9+}\r\nb EVIL\r\nx {2}\r\n\"c NOOP\r\n"), uint8(1))
	f.Add([]byte("a IDLE\r\nDONE\r\nb STUCK {3+}\r\nabc\r\nc UID OWN \"\\\"\"\r\n"), uint8(5))
	f.Fuzz(func(t *testing.T, in []byte, size uint8) {
		whole, said := converse(true, in)
		cut, saidCut := converse(true, slices.Collect(slices.Chunk(in, int(size)+1))...)
		if !slices.Equal(whole, cut) || said != saidCut {
			t.Fatalf("in one piece %q, told %q; in pieces of %d %q, told %q", whole, said, int(size)+1, cut, saidCut)
		}
	})
}

func BenchmarkAppendLiteral(b *testing.B) {
	message := []byte("a APPEND x {262144}\r\n" + strings.Repeat("y", 262144) + "\r\n")
	b.SetBytes(int64(len(message)))
	for b.Loop() {
		converse(true, message)
	}
}
