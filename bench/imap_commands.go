package main

import (
	"bytes"
	"fmt"
	"io"
	"strconv"
)

// selected opens a mailbox and returns how many messages it has.
func (c *imapClient) selected(mailbox string) (messages int, err error) {
	err = c.do("SELECT "+quote(mailbox), func(line []byte) {
		if n, name, ok := untagged(line); ok && name == "EXISTS" {
			messages = n
		}
	})
	return messages, err
}

// status returns the number of messages of a mailbox.
func (c *imapClient) status(mailbox string) (messages int, err error) {
	messages = -1
	err = c.do("STATUS "+quote(mailbox)+" (MESSAGES)", func(line []byte) {
		if _, after, ok := bytes.Cut(line, []byte("(MESSAGES ")); ok {
			messages, _ = strconv.Atoi(string(bytes.TrimRight(after, ")")))
		}
	})
	if err == nil && messages < 0 {
		err = fmt.Errorf("STATUS %s: no MESSAGES in the answer", mailbox)
	}
	return messages, err
}

// fetch runs a FETCH of everything and returns how many messages answered.
func (c *imapClient) fetch(items string) (messages int, err error) {
	err = c.do("FETCH 1:* ("+items+")", func(line []byte) {
		if _, name, ok := untagged(line); ok && name == "FETCH" {
			messages++
		}
	})
	return messages, err
}

// fetchBody streams the whole of the mailbox's message number n to w and returns its size.
func (c *imapClient) fetchBody(n int, w io.Writer) (size int64, err error) {
	command := fmt.Sprintf("FETCH %d (BODY.PEEK[])", n)
	tag, err := c.send(command)
	if err != nil {
		return 0, err
	}
	for {
		line, err := c.line()
		if err != nil {
			return 0, err
		}
		if length, ok := literal(line); ok {
			if size, err = io.CopyN(w, c.in, int64(length)); err != nil {
				return size, err
			}
			break
		}
		if bytes.HasPrefix(line, []byte(tag)) {
			return 0, fmt.Errorf("%s: answered %q without a body", command, line)
		}
	}
	return size, c.finish(tag, command, nil)
}

// append stores a message. The literal is sent along without asking where the server takes that (RFC 7888).
func (c *imapClient) append(mailbox string, header, body []byte) error {
	size := len(header) + len(body)
	plus := ""
	if c.has("LITERAL+") || c.has("LITERAL-") && size <= 4096 {
		plus = "+"
	}
	tag, err := c.send(fmt.Sprintf("APPEND %s {%d%s}", quote(mailbox), size, plus))
	if err != nil {
		return err
	}
	if plus == "" {
		if err := c.goAhead(); err != nil {
			return err
		}
	}
	whole := make([]byte, 0, size+2)
	whole = append(append(append(whole, header...), body...), "\r\n"...)
	if _, err := c.conn.Write(whole); err != nil {
		return err
	}
	return c.finish(tag, "APPEND", nil)
}

// goAhead reads to the "+" that asks for more.
func (c *imapClient) goAhead() error {
	for {
		line, err := c.line()
		if err != nil {
			return err
		}
		if bytes.HasPrefix(line, []byte("+")) {
			return nil
		}
		if !bytes.HasPrefix(line, []byte("* ")) {
			return fmt.Errorf("answered %q", line)
		}
	}
}

// idle enters IDLE (RFC 2177). Closing the connection is the way out.
func (c *imapClient) idle() error {
	if _, err := c.send("IDLE"); err != nil {
		return err
	}
	return c.goAhead()
}
