package wire

import (
	"bytes"
)

// phase says what the next byte from the peer is.
type phase uint8

const (
	start        phase = iota // a command's first
	line                      // within a command line that the library reads
	prompt                    // within a line that the library asked for: no command
	await                     // after the announcement of a literal, which the library has not asked for yet
	literal                   // of a literal that the library reads
	ownLine                   // within a command line that the door answers
	ownLiteral                // of a literal of it
	drainLiteral              // of a literal that nobody reads
	drainLine                 // within the rest of its command
)

// scanner is where in a command the peer's bytes have got to.
type scanner struct {
	phase    phase
	tag      string
	name     string
	size     int   // of the command so far, without literals
	literals int64 // bytes of its literals so far
	left     int64 // of the present literal
	silent   bool  // the present literal is non-synchronising
	fed      bool  // an end of line was made up for the library
	quoted   bool  // within a quoted string
	escaped  bool
	tail     [28]byte // the end of the line so far, to find a literal's announcement in
	tailLen  int
	own      []byte // the arguments of a command for the door
}

// look advances over b, which it takes over, and returns the part that goes to the library: at most to the end of one
// command, or to a literal's announcement, so that what the library says next is about this command and no other.
func (c *Conn) look(b []byte) ([]byte, error) {
	s := &c.scan
	from := -1 // where the library's part starts
	pass := func(to int) []byte {
		c.keep(b[to:])
		if from < 0 {
			return nil
		}
		return b[from:to]
	}
	for i := 0; i < len(b); {
		switch s.phase {
		case start:
			n, known, err := c.begin(b[i:])
			if err != nil || c.failure != nil {
				return nil, err
			}
			if !known {
				c.more = true
				return pass(i), nil
			}
			i += n
		case line, prompt, ownLine, drainLine:
			if s.phase == line || s.phase == prompt {
				from = mark(from, i)
			}
			n, ended, announced := c.inLine(b[i:])
			i += n
			if c.failure != nil {
				return nil, nil
			}
			if !ended {
				c.more = i < len(b)
				return pass(i), nil
			}
			if stop, err := c.lineEnd(announced); stop || err != nil {
				out := pass(i)
				if s.phase == await && s.silent {
					out = synchronize(out)
				}
				if s.own != nil && s.phase == start {
					err = c.answer()
				}
				return out, err
			}
		case literal:
			from = mark(from, i)
			i += s.take(len(b)-i, line)
		case ownLiteral:
			n := s.take(len(b)-i, ownLine)
			s.own = append(s.own, b[i:i+n]...)
			i += n
		case drainLiteral:
			i += s.take(len(b)-i, drainLine)
		}
	}
	return pass(len(b)), nil
}

// inLine advances to the end of a line, if it is there, or else up to what may be the start of a literal's
// announcement: that must be seen whole.
func (c *Conn) inLine(b []byte) (n int, ended, announced bool) {
	s := &c.scan
	n, ended, bad := s.line(b[:len(b)-partial(b)])
	if ended && bad == "" {
		announced, bad = s.endLine(c.opts.Append, c.authenticated.Load())
	}
	if bad != "" {
		c.failure = &violation{tag: s.tag, text: bad}
	}
	return n, ended, announced
}

// begin looks at the start of a line: who answers it, and how much of it has been looked at by that. known is false if
// there is too little of it to tell.
func (c *Conn) begin(b []byte) (n int, known bool, err error) {
	s := &c.scan
	if c.takePrompt() {
		s.begin("", "", prompt)
		return 0, true, nil
	}
	tag, name, n, ok := head(b)
	if !ok {
		return 0, false, nil
	}
	s.begin(tag, name, line)
	switch {
	case name == "" && n < longestWord:
		empty := n == 0 && (b[0] == '\r' || b[0] == '\n')
		return 0, true, c.noCommand(empty)
	case c.opts.Own != nil && c.opts.Own(name):
		s.phase, s.size = ownLine, n
		return n, true, nil
	}
	return 0, true, nil
}

// noCommand skips a line without a tag and a name, on which the library would give up without a word. An empty line is
// let pass: clients send one too many after a literal.
func (c *Conn) noCommand(empty bool) error {
	c.scan.phase = drainLine
	switch {
	case empty:
		return nil
	case !c.authenticated.Load():
		c.failure = &violation{text: "That is no command"} // of another protocol, perhaps
		return nil
	}
	return c.Gather([]byte("* BAD That is no command\r\n"))
}

// lineEnd says what comes after a line, and whether the library or the door has to act first.
func (c *Conn) lineEnd(announced bool) (stop bool, err error) {
	s := &c.scan
	switch {
	case announced && s.phase == line:
		s.phase, s.fed = await, false
		c.await()
		return true, nil
	case announced && s.phase == ownLine:
		s.enter(ownLiteral, ownLine)
		if !s.silent {
			err = c.Gather([]byte("+ Ready for literal data\r\n"))
		}
		return false, err
	case announced && s.phase == drainLine && s.silent:
		s.enter(drainLiteral, drainLine)
		return false, nil
	}
	// The command has ended; so has a refused one whose next literal the peer would have to be asked for.
	stop = s.phase != drainLine
	s.phase = start
	return stop, nil
}

func mark(from, i int) int {
	if from < 0 {
		return i
	}
	return from
}

// keep puts b aside, before what is put aside already.
func (c *Conn) keep(b []byte) {
	if len(b) > 0 {
		c.rest = append(bytes.Clone(b), c.rest...)
	}
}

func (c *Conn) takePrompt() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.prompted
	c.prompted = false
	return p
}

// answer lets the door answer the command that has been gathered.
func (c *Conn) answer() error {
	s := &c.scan
	args := s.own
	s.own = nil
	args = bytes.TrimSuffix(bytes.TrimSuffix(args, []byte("\n")), []byte("\r"))
	args = bytes.TrimPrefix(args, []byte(" "))
	return c.opts.Answer(Command{Tag: s.tag, Name: s.name, Args: args})
}

func (s *scanner) begin(tag, name string, p phase) {
	*s = scanner{phase: p, tag: tag, name: name}
}

// upTo cuts off of b what will have to wait anyway.
func (s *scanner) upTo(b []byte) []byte {
	switch s.phase {
	case literal, ownLiteral, drainLiteral:
		return b[:min(int64(len(b)), s.left)]
	}
	if i := bytes.IndexByte(b, '\n'); i >= 0 {
		return b[:i+1]
	}
	return b
}

// enter starts a literal, or what follows it if it is empty.
func (s *scanner) enter(literal, next phase) {
	if s.phase = literal; s.left == 0 {
		s.phase = next
	}
}

// take counts up to n bytes of the present literal; after its last one the command goes on in next.
func (s *scanner) take(n int, next phase) int {
	n = int(min(int64(n), s.left))
	if s.left -= int64(n); s.left == 0 {
		s.phase = next
		s.tailLen = 0
	}
	return n
}

// line advances over b to the end of the line, if it is there.
func (s *scanner) line(b []byte) (n int, ended bool, bad string) {
	n = len(b)
	if i := bytes.IndexByte(b, '\n'); i >= 0 {
		n, ended = i+1, true
	}
	if s.size += n; s.size > MaxCommand {
		return 0, false, "Command too long"
	}
	for _, ch := range b[:n] {
		switch {
		case s.escaped:
			s.escaped = false
		case ch == '"':
			s.quoted = !s.quoted
		case ch == '\\' && s.quoted:
			s.escaped = true
		}
	}
	if s.phase == ownLine {
		s.own = append(s.own, b[:n]...)
	}
	s.remember(b[:n])
	return n, ended, ""
}

func (s *scanner) remember(b []byte) {
	if len(b) >= len(s.tail) {
		s.tailLen = copy(s.tail[:], b[len(b)-len(s.tail):])
		return
	}
	if over := s.tailLen + len(b) - len(s.tail); over > 0 {
		s.tailLen = copy(s.tail[:], s.tail[over:s.tailLen])
	}
	s.tailLen += copy(s.tail[s.tailLen:], b)
}

// endLine looks whether the line that has just ended announces a literal, and whether that may be.
func (s *scanner) endLine(streams string, authenticated bool) (announced bool, bad string) {
	if s.phase == prompt {
		return false, ""
	}
	quoted := s.quoted || s.escaped
	s.quoted, s.escaped = false, false
	size, silent, announced := announcement(s.tail[:s.tailLen])
	tooLarge := announced && (size < 0 || silent && size > MaxLiteralPlus)
	if s.phase == drainLine && !tooLarge {
		s.left, s.silent = size, silent
		return announced, ""
	}
	if quoted { // RFC 9051 9, quoted: no CR or LF. The library would read on.
		return false, "End of line in a quoted string"
	}
	if !announced {
		return false, ""
	}
	s.tailLen = 0
	s.literals += size
	switch {
	case tooLarge: // RFC 7888 4 and 5: refuse by hanging up
		return false, "Non-synchronizing literals are limited to 4096 bytes"
	case !authenticated && s.literals > MaxLiteralPlus, s.name != streams && s.literals > MaxLiterals:
		return false, "Literal too large for this command"
	}
	s.left, s.silent = size, silent
	return true, ""
}
