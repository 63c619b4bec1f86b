package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"
)

// imapClient is an IMAP4rev1 client (RFC 3501) that understands of the stream only what it must to stay in step:
// lines, literals and tags. Literals are skipped without being copied, so that it costs next to nothing beside the
// server under test.
type imapClient struct {
	conn         net.Conn
	in           *bufio.Reader
	tag          int
	capabilities string
}

// dialIMAP connects and logs in.
func dialIMAP(address string, who account) (*imapClient, error) {
	return dialIMAPSized(address, who, 64<<10)
}

// dialIMAPSized is dialIMAP with a read buffer of the given size; hundreds of idle connections want a small one.
func dialIMAPSized(address string, who account, buffer int) (*imapClient, error) {
	conn, err := net.DialTimeout("tcp", address, ioTimeout)
	if err != nil {
		return nil, err
	}
	c := &imapClient{conn: conn, in: bufio.NewReaderSize(conn, buffer)}
	err = c.hello(who)
	if err != nil {
		conn.Close()
		return nil, fmt.Errorf("IMAP login of %s: %w", who.address, err)
	}
	return c, nil
}

func (c *imapClient) hello(who account) error {
	if err := c.conn.SetDeadline(time.Now().Add(ioTimeout)); err != nil {
		return err
	}
	greeting, err := c.line()
	if err != nil {
		return err
	}
	if !bytes.HasPrefix(greeting, []byte("* OK")) {
		return fmt.Errorf("greeted with %q", greeting)
	}
	if err := c.do(fmt.Sprintf("LOGIN %s %s", quote(who.address), quote(who.password)), nil); err != nil {
		return err
	}
	return c.do("CAPABILITY", func(line []byte) { c.capabilities = strings.ToUpper(string(line)) })
}

func (c *imapClient) has(capability string) bool {
	return strings.Contains(c.capabilities+" ", " "+capability+" ")
}

// close logs out; nobody waits for the answer's sake.
func (c *imapClient) close() {
	_ = c.do("LOGOUT", nil)
	c.conn.Close()
}

// do sends one command and reads to its tagged line, giving every untagged line (its first piece, up to the first
// literal) to see, which must not keep it. Anything but OK is an error.
func (c *imapClient) do(command string, see func(line []byte)) error {
	tag, err := c.send(command)
	if err != nil {
		return err
	}
	return c.finish(tag, command, see)
}

func (c *imapClient) send(command string) (tag string, err error) {
	c.tag++
	tag = "a" + strconv.Itoa(c.tag)
	if err := c.conn.SetDeadline(time.Now().Add(ioTimeout)); err != nil {
		return "", err
	}
	_, err = io.WriteString(c.conn, tag+" "+command+"\r\n")
	return tag, err
}

// finish reads to the tagged line.
func (c *imapClient) finish(tag, command string, see func(line []byte)) error {
	prefix := []byte(tag + " ")
	for {
		line, err := c.line()
		if err != nil {
			return fmt.Errorf("%.60s: %w", command, err)
		}
		if bytes.HasPrefix(line, prefix) {
			if answer := line[len(prefix):]; !bytes.HasPrefix(answer, []byte("OK")) {
				return fmt.Errorf("%.60s: answered %q", command, answer)
			}
			return nil
		}
		if see != nil {
			see(line)
		}
		if err := c.skipLiterals(line); err != nil {
			return fmt.Errorf("%.60s: %w", command, err)
		}
	}
}

// skipLiterals reads the rest of an untagged response whose first piece is line.
func (c *imapClient) skipLiterals(line []byte) error {
	for {
		size, ok := literal(line)
		if !ok {
			return nil
		}
		if _, err := c.in.Discard(size); err != nil {
			return err
		}
		var err error
		if line, err = c.line(); err != nil {
			return err
		}
	}
}

// line reads up to CRLF. It is valid until the next read. A line longer than the buffer (a long envelope) is put
// together from pieces.
func (c *imapClient) line() ([]byte, error) {
	line, err := c.in.ReadSlice('\n')
	if err == bufio.ErrBufferFull {
		whole := bytes.Clone(line)
		var rest []byte
		if rest, err = c.in.ReadBytes('\n'); err == nil {
			line = append(whole, rest...)
		}
	}
	if err != nil {
		return nil, err
	}
	return bytes.TrimRight(line, "\r\n"), nil
}

// literal reads the {size} that ends a line announcing a literal.
func literal(line []byte) (size int, ok bool) {
	if len(line) == 0 || line[len(line)-1] != '}' {
		return 0, false
	}
	open := bytes.LastIndexByte(line, '{')
	if open < 0 {
		return 0, false
	}
	size, err := strconv.Atoi(string(line[open+1 : len(line)-1]))
	return size, err == nil && size >= 0
}

// untagged splits "* 12 EXISTS" and "* 12 FETCH (…" into number and name.
func untagged(line []byte) (n int, name string, ok bool) {
	rest, ok := bytes.CutPrefix(line, []byte("* "))
	if !ok {
		return 0, "", false
	}
	number, rest, ok := bytes.Cut(rest, []byte(" "))
	if !ok {
		return 0, "", false
	}
	n, err := strconv.Atoi(string(number))
	if err != nil {
		return 0, "", false
	}
	word, _, _ := bytes.Cut(rest, []byte(" "))
	switch string(word) { // a constant costs no allocation
	case "FETCH":
		return n, "FETCH", true
	case "EXISTS":
		return n, "EXISTS", true
	}
	return n, string(word), true
}

// quote makes a quoted string.
func quote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}
