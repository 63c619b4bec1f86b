package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strings"
	"time"
)

// ioTimeout bounds every single exchange, so that a server that hangs ends a run instead of holding it.
const ioTimeout = 60 * time.Second

// smtpClient is an SMTP or LMTP client (RFC 5321, RFC 2033) that does as little as a sending server must: on a
// machine of two cores whatever the client uses is taken from the server under test.
type smtpClient struct {
	conn       net.Conn
	in         *bufio.Reader
	out        *bufio.Writer
	pipelining bool // RFC 2920
}

// dialSMTP connects and greets: with LHLO if lmtp, else EHLO.
func dialSMTP(address string, lmtp bool) (*smtpClient, error) {
	conn, err := net.DialTimeout("tcp", address, ioTimeout)
	if err != nil {
		return nil, err
	}
	c := &smtpClient{conn: conn, in: bufio.NewReaderSize(conn, 4<<10), out: bufio.NewWriterSize(conn, 32<<10)}
	hello := "EHLO bench.test"
	if lmtp {
		hello = "LHLO bench.test"
	}
	if _, err = c.reply(220); err == nil {
		var text string
		text, err = c.command(250, hello)
		c.pipelining = strings.Contains(text, "PIPELINING")
	}
	if err != nil {
		conn.Close()
		return nil, fmt.Errorf("greeting %s: %w", address, err)
	}
	return c, nil
}

// timing is when the steps of one message were over.
type timing struct {
	mail     time.Time // MAIL was about to be sent
	sent     time.Time // the last byte of DATA was sent
	answered time.Time // 250 was read
}

func (t timing) took() time.Duration { return t.answered.Sub(t.mail) }

// send transmits one message to one recipient. The body has CRLF lines, none of them starting with a dot, and ends
// with CRLF, so nothing has to be escaped. Only a 250 is success.
func (c *smtpClient) send(from, to string, header, body []byte) (t timing, err error) {
	return c.stream(from, to, func(w io.Writer) error {
		if _, err := w.Write(header); err != nil {
			return err
		}
		_, err := w.Write(body)
		return err
	})
}

// stream is send for a message that is written piece by piece.
func (c *smtpClient) stream(from, to string, write func(io.Writer) error) (t timing, err error) {
	t.mail = time.Now()
	if err := c.envelope(from, to); err != nil {
		return t, err
	}
	if err := c.conn.SetDeadline(time.Now().Add(ioTimeout)); err != nil {
		return t, err
	}
	if err := write(c.out); err != nil {
		return t, err
	}
	if _, err := c.out.WriteString(".\r\n"); err != nil {
		return t, err
	}
	if err := c.out.Flush(); err != nil {
		return t, err
	}
	t.sent = time.Now()
	_, err = c.reply(250)
	t.answered = time.Now()
	return t, err
}

// envelope sends MAIL, RCPT and DATA, in one piece where the server allows it, as sending servers do.
func (c *smtpClient) envelope(from, to string) error {
	steps := []struct {
		line string
		code int
	}{{"MAIL FROM:<" + from + ">", 250}, {"RCPT TO:<" + to + ">", 250}, {"DATA", 354}}
	if !c.pipelining {
		for _, s := range steps {
			if _, err := c.command(s.code, s.line); err != nil {
				return err
			}
		}
		return nil
	}
	for _, s := range steps {
		if _, err := c.out.WriteString(s.line + "\r\n"); err != nil {
			return err
		}
	}
	if err := c.out.Flush(); err != nil {
		return err
	}
	for _, s := range steps {
		if _, err := c.reply(s.code); err != nil {
			return fmt.Errorf("%s: %w", s.line, err)
		}
	}
	return nil
}

func (c *smtpClient) command(want int, line string) (string, error) {
	if _, err := c.out.WriteString(line + "\r\n"); err != nil {
		return "", err
	}
	if err := c.out.Flush(); err != nil {
		return "", err
	}
	text, err := c.reply(want)
	if err != nil {
		err = fmt.Errorf("%s: %w", line, err)
	}
	return text, err
}

// reply reads one reply of any number of lines (RFC 5321 4.2.1).
func (c *smtpClient) reply(want int) (string, error) {
	if err := c.conn.SetReadDeadline(time.Now().Add(ioTimeout)); err != nil {
		return "", err
	}
	var text strings.Builder
	for {
		line, err := c.in.ReadString('\n')
		if err != nil {
			return "", err
		}
		text.WriteString(line)
		code, last, err := replyLine(line)
		switch {
		case err != nil:
			return "", err
		case last && code != want:
			return "", fmt.Errorf("answered %q", strings.TrimSpace(text.String()))
		case last:
			return text.String(), nil
		}
	}
}

// replyLine reads the code of a reply's line, and whether it is the last.
func replyLine(line string) (code int, last bool, err error) {
	line = strings.TrimRight(line, "\r\n")
	if len(line) < 3 {
		return 0, false, fmt.Errorf("not an SMTP reply: %q", line)
	}
	for _, d := range line[:3] {
		if d < '0' || d > '9' {
			return 0, false, fmt.Errorf("not an SMTP reply: %q", line)
		}
		code = code*10 + int(d-'0')
	}
	return code, len(line) == 3 || line[3] != '-', nil
}

// quit says goodbye; nobody waits for the answer's sake.
func (c *smtpClient) quit() {
	_, _ = c.command(221, "QUIT")
	c.conn.Close()
}
