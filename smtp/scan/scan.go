// Package scan has messages looked through by other programs while they come in: for viruses by ClamAV's daemon
// (INSTREAM, clamd(8)), and for spam by rspamd.
// What follows from what it finds is the server's to decide.
package scan

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"podmail/mail"
)

// Bounds on the daemon, so that one that hangs holds up no mail for long.
const (
	dialTime   = 5 * time.Second
	writeTime  = 20 * time.Second // for the next bytes
	answerTime = 2 * time.Minute  // for its verdict, once it has all
	frame      = 64 << 10         // bytes handed over at a time
	maxAnswer  = 1 << 10
)

// Scanner asks a daemon. It is safe for concurrent use.
type Scanner struct{ network, address string }

// New returns a scanner by the daemon at host:port, or at a socket's path.
func New(address string) *Scanner {
	if strings.HasPrefix(address, "/") {
		return &Scanner{"unix", address}
	}
	return &Scanner{"tcp", address}
}

// Scan is one message on its way through the daemon: all its bytes are written to it, then Finish tells the verdict.
type Scan struct {
	conn net.Conn
	out  *bufio.Writer
	err  error // the first that happened; nothing is written after it
}

// Begin calls the daemon. A Scan that was begun must be closed.
func (s *Scanner) Begin(ctx context.Context) *Scan {
	d := net.Dialer{Timeout: dialTime}
	conn, err := d.DialContext(ctx, s.network, s.address)
	if err != nil {
		return &Scan{err: err}
	}
	c := &Scan{conn: conn}
	c.out = bufio.NewWriterSize(frames{conn}, frame)
	_, c.err = io.WriteString(conn, "zINSTREAM\x00")
	return c
}

// frames writes each piece with its length before it.
type frames struct{ net.Conn }

func (f frames) Write(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	err := f.SetWriteDeadline(time.Now().Add(writeTime))
	if err != nil {
		return 0, err
	}
	b := net.Buffers{binary.BigEndian.AppendUint32(nil, uint32(len(p))), p}
	if _, err := b.WriteTo(f.Conn); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Write takes the message's next bytes. It never fails: what is wrong is told by Finish.
func (c *Scan) Write(p []byte) (int, error) {
	for rest := p; c.err == nil && len(rest) > 0; { // frames are bounded, whatever is written at once
		n := min(len(rest), frame)
		_, c.err = c.out.Write(rest[:n])
		rest = rest[n:]
	}
	return len(p), nil
}

// Finish tells the daemon's verdict on what was written.
func (c *Scan) Finish() mail.ScanResult {
	if c.err == nil {
		c.err = c.out.Flush()
	}
	if c.err == nil {
		_, c.err = c.conn.Write(make([]byte, 4)) // the end
	}
	if c.conn == nil {
		return mail.ScanResult{Verdict: mail.ScanFailed, Reason: c.err.Error()}
	}
	answer, err := c.answer() // also of one that hung up within the message: it may have said why
	switch {
	case strings.HasSuffix(answer, " FOUND"):
		name := strings.TrimSuffix(answer, " FOUND")
		return mail.ScanResult{Verdict: mail.ScanInfected, Name: name[strings.LastIndexByte(name, ' ')+1:]}
	case c.err == nil && strings.HasSuffix(answer, ": OK"):
		return mail.ScanResult{Verdict: mail.ScanClean}
	case strings.Contains(answer, "size limit exceeded"):
		return mail.ScanResult{Verdict: mail.ScanTooLarge, Reason: answer}
	case answer != "":
		return mail.ScanResult{Verdict: mail.ScanFailed, Reason: answer}
	}
	return mail.ScanResult{Verdict: mail.ScanFailed, Reason: fmt.Sprint(errors.Join(c.err, err))}
}

func (c *Scan) answer() (string, error) {
	if err := c.conn.SetReadDeadline(time.Now().Add(answerTime)); err != nil {
		return "", err
	}
	b, err := bufio.NewReader(io.LimitReader(c.conn, maxAnswer)).ReadString(0)
	printable := func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return -1
		}
		return r
	}
	return strings.ToValidUTF8(strings.Map(printable, b), "?"), err
}

// Close hangs up.
func (c *Scan) Close() {
	if c.conn != nil {
		c.conn.Close()
	}
}
