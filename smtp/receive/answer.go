package receive

import (
	"bytes"
	"strconv"
	"strings"

	"podmail/smtp/wire"
)

// Write implements net.Conn for go-smtp, whose replies come line by line.
func (g *guard) Write(p []byte) (int, error) {
	g.said = append(g.said, p...)
	for {
		line, rest, found := bytes.Cut(g.said, []byte("\r\n"))
		if !found {
			return len(p), nil
		}
		g.takeLine(string(line))
		g.said = append(g.said[:0], rest...)
	}
}

// takeLine takes a line of a reply, and answers with the reply when it is whole.
func (g *guard) takeLine(line string) {
	code, err := strconv.Atoi(line[:min(3, len(line))])
	if err != nil || len(line) < 4 {
		return // go-smtp says no such thing
	}
	g.lines = append(g.lines, line[4:])
	if line[3] == '-' {
		return
	}
	r := &wire.Reply{Code: code, Lines: g.lines}
	g.lines = nil
	last := &r.Lines[len(r.Lines)-1]
	if status, text, found := strings.Cut(*last, " "); found && strings.HasPrefix(status, line[:1]+".") {
		r.Status, *last = status, text
	}
	if g.silent {
		g.silent = false
		return
	}
	g.answered(r)
}

// answered is where a reply of go-smtp's becomes ours: what it means for the session is noted.
func (g *guard) answered(r *wire.Reply) {
	r.Code, r.Status = g.corrected(r)
	switch took := g.took(); {
	case g.err != nil && took: // whatever came of it: the peer is gone, or what comes now is not its next command
		g.endBody()
		r = g.hangUp(421, "4.4.2", "The message was cut off")
	case g.verb == "BDAT" && took:
		r = g.chunkAnswered(r)
	case g.verb == "BDAT" && !g.chunk.pending, r.Code == 250 && (g.verb == "RSET" || g.verb == "EHLO" || g.verb == "HELO"):
		g.endBody()
	case took:
		g.idle = 0
		g.endBody()
	}
	switch {
	case r.Code == 334:
		g.asked = true
	case r.Code == 354:
		g.c.beginBody()
		g.data, g.receiving = wire.NewData(g.r), true
	case r.Code == 250 && g.verb == "EHLO":
		g.extended, r.Lines = true, g.announced(r.Lines)
	case r.Code == 250 && g.verb == "HELO":
		g.extended, r.Status, r.Lines = false, "", []string{g.s.o.Hostname}
	}
	g.answer(r)
}

// took tells whether the reply is the end of a message, or of a chunk of one.
func (g *guard) took() bool {
	switch g.verb {
	case "DATA":
		took := g.receiving
		g.receiving = false
		return took
	case "BDAT":
		return g.hasRecipients()
	}
	return false
}

// corrected gives the codes of the RFCs where go-smtp has others.
func (g *guard) corrected(r *wire.Reply) (code int, status string) {
	type said struct {
		code   int
		status string
	}
	was := said{r.Code, r.Status}
	switch g.verb {
	case "MAIL", "RCPT":
		switch {
		case r.Code == 250 && g.verb == "MAIL":
			return 250, "2.1.0"
		case r.Code == 250:
			return 250, "2.1.5"
		case was == said{500, "5.5.4"}: // an unknown parameter (RFC 5321 4.1.1.11)
			return 555, "5.5.4"
		}
	case "AUTH":
		switch {
		case r.Code == 235:
			return 235, "2.7.0" // RFC 4954 6
		case was == said{454, "4.7.0"}: // no base64 (RFC 4954 4)
			return 501, "5.5.2"
		case was == said{501, "5.0.0"}: // the client gave up
			return 501, "5.7.0"
		case was == said{502, "5.5.4"}: // no mechanism is named
			return 504, "5.5.4"
		case g.role == MX:
			return r.Code, r.Status
		}
	case "VRFY":
		if r.Code == 252 {
			return 252, "2.5.2"
		}
	}
	switch g.verb {
	case "MAIL", "RCPT", "DATA", "BDAT", "AUTH":
		if (was == said{502, "5.5.1"}) { // commands at the wrong time (RFC 5321 4.2.4)
			return 503, "5.5.1"
		}
	}
	return r.Code, r.Status
}

// answer sends a reply, and counts it. It leaves before the session waits for more.
func (g *guard) answer(r *wire.Reply) {
	if g.verb == "RCPT" {
		if r.Code < 300 { // progress
			g.idle = 0
		}
		g.s.metrics.recipients.WithLabelValues(g.role.String(), replyClass(r.Code)).Inc()
	}
	r = g.counted(r)
	g.s.metrics.replies.WithLabelValues(g.role.String(), replyClass(r.Code)).Inc()
	if err := r.WriteTo(g.w); err != nil { // seen again when the next command is read
		g.log.Debug("reply did not leave", "error", err)
	}
}

// counted hangs up on who collects too many refusals.
func (g *guard) counted(r *wire.Reply) *wire.Reply {
	if r.Code < 500 && r.Code != 421 || g.over || g.err != nil {
		return r
	}
	if g.refused++; g.refused > g.s.o.MaxErrors {
		g.log.Warn("hung up: too many errors")
		return g.hangUp(421, "4.7.0", "Too many errors")
	}
	return r
}
