package deliver

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"
)

// session is a connection to a host, ready for commands.
type session struct {
	net.Conn
	raw   net.Conn        // below TLS
	ctx   context.Context // of the transfer that uses it
	times Times
	r     *bufio.Reader
	w     *bufio.Writer

	host       string // name and address, for people
	itself     string // how the host calls itself
	tls        string // version, cipher, and how the host was verified; empty: plain text
	extensions map[string]string
	opened     time.Time
	used       bool // for a transaction: another one begins with RSET
	most       int  // recipients in one transaction, as the host has shown; 0: it has not
	messages   int  // transactions begun
	broken     bool // not to be used again
}

func newSession(ctx context.Context, conn net.Conn, times Times, host string) *session {
	s := &session{raw: conn, ctx: ctx, times: times, host: host, opened: time.Now()}
	s.wrap(conn)
	return s
}

// wrap puts the session on top of a connection, with nothing read or written yet.
func (s *session) wrap(conn net.Conn) {
	s.Conn = conn
	s.r = bufio.NewReaderSize(conn, maxReplyLine)
	s.w = bufio.NewWriterSize(blockWriter{s}, 16<<10)
}

// use ties the session to a transfer's context until done is called: when it ends, so does what is being waited for.
func (s *session) use(ctx context.Context) (done func()) {
	s.ctx = ctx
	stop := context.AfterFunc(ctx, func() { s.raw.SetDeadline(time.Unix(1, 0)) })
	return func() { stop() }
}

// allow gives the next steps so much time, and no more than the transfer has left.
func (s *session) allow(d time.Duration) error {
	if err := s.SetDeadline(time.Now().Add(d)); err != nil {
		return err
	}
	return s.ctx.Err() // looked at after the deadline was set, which would undo the one that use has set
}

// blockWriter gives each write the time that a host may take for some of a body.
type blockWriter struct{ s *session }

func (b blockWriter) Write(p []byte) (int, error) {
	if err := b.s.allow(b.s.times.Block); err != nil {
		return 0, err
	}
	return b.s.Conn.Write(p)
}

// read waits for a reply.
func (s *session) read(wait time.Duration) (reply, error) {
	if err := s.allow(wait); err != nil {
		return reply{}, err
	}
	r, err := readReply(s.r)
	if err != nil {
		s.broken = true
		return reply{}, s.cause(err)
	}
	if r.code == 421 {
		s.broken = true
	}
	return r, nil
}

// cause says why a step failed in words that a sender may be shown.
func (s *session) cause(err error) error {
	var timeout net.Error
	switch {
	case s.ctx.Err() != nil:
		return fmt.Errorf("called off: %w", context.Cause(s.ctx))
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("the host closed the connection")
	case errors.As(err, &timeout) && timeout.Timeout():
		return errors.New("the host said nothing for too long")
	}
	return err
}

// write puts a command into the buffer.
func (s *session) write(line string) error {
	_, err := s.w.WriteString(line + "\r\n")
	return err
}

// ask sends a command and waits for its reply.
func (s *session) ask(wait time.Duration, line string) (reply, error) {
	err := s.write(line)
	if err == nil {
		err = s.w.Flush()
	}
	if err != nil {
		s.broken = true
		return reply{}, s.cause(err)
	}
	return s.read(wait)
}

// greet waits for the host's greeting (RFC 5321 3.1).
func (s *session) greet() error {
	r, err := s.read(s.times.Greeting)
	if err != nil {
		return lost(err, "waiting for the greeting").orElsewhere()
	}
	if !r.good() {
		return refused(r, "the connection").orElsewhere()
	}
	return nil
}

// hello says who we are and learns what the host offers; to a host of old, by HELO (RFC 5321 3.2).
func (s *session) hello(name string) error {
	s.extensions = nil
	r, err := s.ask(s.times.Greeting, "EHLO "+name)
	if err != nil {
		return lost(err, "after EHLO").orElsewhere()
	}
	if r.good() {
		s.extensions = parseExtensions(r)
	}
	if r.permanent() {
		if r, err = s.ask(s.times.Greeting, "HELO "+name); err != nil {
			return lost(err, "after HELO").orElsewhere()
		}
	}
	if !r.good() {
		return refused(r, "HELO").orElsewhere()
	}
	s.itself, _, _ = strings.Cut(r.lines()[0], " ")
	return nil
}

// parseExtensions reads the lines after the first of a reply to EHLO (RFC 5321 4.1.1.1).
func parseExtensions(r reply) map[string]string {
	extensions := map[string]string{}
	for i, line := range r.lines() {
		if i == 0 {
			continue
		}
		keyword, params, _ := strings.Cut(line, " ")
		if mechanism, ok := strings.CutPrefix(strings.ToUpper(keyword), "AUTH="); ok { // before RFC 4954
			keyword, params = "AUTH", mechanism+" "+params
		}
		keyword = strings.ToUpper(keyword)
		extensions[keyword] = strings.TrimSpace(extensions[keyword] + " " + params)
	}
	return extensions
}

func (s *session) offers(keyword string) bool {
	_, ok := s.extensions[keyword]
	return ok
}

// sizeLimit is the largest message that the host takes (RFC 1870 4); 0: it does not say.
func (s *session) sizeLimit() int64 {
	n, err := strconv.ParseInt(s.extensions["SIZE"], 10, 64)
	if err != nil || n < 0 {
		return 0
	}
	return n
}

// limit is what the host announces of a limit (RFC 9422); 0: nothing.
func (s *session) limit(name string) int {
	for _, word := range strings.Fields(s.extensions["LIMITS"]) {
		if key, value, _ := strings.Cut(word, "="); strings.EqualFold(key, name) {
			if n, err := strconv.Atoi(value); err == nil && n > 0 {
				return n
			}
		}
	}
	return 0
}

// mostRecipients is how many recipients a transaction may have.
func (s *session) mostRecipients() int {
	most := maxRecipients
	for _, n := range []int{s.limit("RCPTMAX"), s.most} {
		if n > 0 {
			most = min(most, n)
		}
	}
	return most
}

// spent tells whether the host takes no further message on this connection.
func (s *session) spent() bool {
	most := s.limit("MAILMAX")
	return most > 0 && s.messages >= most
}

// secure puts TLS on the connection.
func (s *session) secure(config *tls.Config) error {
	if err := s.allow(s.times.Greeting); err != nil {
		return err
	}
	conn := tls.Client(s.Conn, config)
	if err := conn.HandshakeContext(s.ctx); err != nil {
		s.broken = true
		return s.cause(err)
	}
	s.wrap(conn)
	state := conn.ConnectionState()
	s.tls = strings.ReplaceAll(tls.VersionName(state.Version), " ", "") + " " + tls.CipherSuiteName(state.CipherSuite)
	return nil
}

// quit says goodbye, as far as the host listens.
func (s *session) quit() {
	if !s.broken {
		s.SetDeadline(time.Now().Add(time.Second))
		io.WriteString(s.Conn, "QUIT\r\n") // a courtesy: it may fail
	}
	s.Close()
}
