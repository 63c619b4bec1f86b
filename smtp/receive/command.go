package receive

import (
	"math"
	"strconv"
	"strings"

	"podmail/smtp/wire"
)

// judge passes a command on to go-smtp, or answers what go-smtp does not know, or would take though it is badly said.
func (g *guard) judge(c wire.Command) *wire.Reply {
	if g.idle++; g.idle > maxIdleCommands {
		return g.hangUp(421, "4.7.0", "Too many commands without a message")
	}
	switch c.Verb {
	case "EHLO", "HELO":
		if !wire.ValidHello(c.Argument) {
			return wire.NewReply(501, "5.5.4", "Say "+c.Verb+" with the name of your host")
		}
	case "MAIL":
		return g.judgePath(c, "FROM:", "5.1.7")
	case "RCPT":
		return g.judgePath(c, "TO:", "5.1.3")
	case "BDAT":
		return g.judgeChunk(c.Argument)
	case "STARTTLS":
		return g.startTLS(c.Argument)
	case "AUTH", "DATA", "RSET", "NOOP", "VRFY", "QUIT", "EXPN", "TURN":
	case "ETRN":
		return wire.NewReply(502, "5.5.1", "Not implemented")
	case "HELP":
		return wire.NewReply(214, "2.0.0", "RFC 5321 is spoken here")
	case "":
		return wire.NewReply(500, "5.5.2", "Commands are lines that end in CRLF")
	default: // of which go-smtp takes no more than three
		return wire.NewReply(500, "5.5.1", "Unknown command")
	}
	return g.pass(c.Verb, c.Argument)
}

// pass has go-smtp read a command, and answers nothing itself.
func (g *guard) pass(verb, argument string) *wire.Reply {
	if argument != "" {
		verb += " " + argument
	}
	g.feed = []byte(verb + "\r\n")
	return nil
}

// path is what MAIL and RCPT say that go-smtp does not hand to the session as it was said.
type path struct {
	address    string           // of which go-smtp loses a local part's quotes
	parameters []wire.Parameter // that it does not know
}

// judgePath reads the argument of MAIL or RCPT by the grammar, of which go-smtp knows less, and passes it on spelled so
// that go-smtp understands it.
func (g *guard) judgePath(c wire.Command, prefix, status string) *wire.Reply {
	say := "Say " + c.Verb + " " + prefix + "<address>"
	argument, ok := cutPrefixFold(c.Argument, prefix)
	if !ok {
		return wire.NewReply(501, "5.5.4", say)
	}
	address, parameters, err := wire.ParsePath(argument)
	local := !strings.Contains(address, "@")
	if err != nil || c.Verb == "MAIL" && local && address != "" || c.Verb == "RCPT" && address == "" {
		return wire.NewReply(501, status, say)
	}
	if len(parameters) > 0 && g.session != nil && !g.extended {
		return wire.NewReply(555, "5.5.4", "Parameters need EHLO")
	}
	g.path = path{address: address}
	if local && address != "" { // go-smtp knows no postmaster without a domain
		address += "@" + g.s.o.Hostname
	}
	var b strings.Builder
	b.WriteString(prefix + "<" + address + ">")
	for _, p := range parameters {
		if g.keeps(c.Verb, p) {
			g.path.parameters = append(g.path.parameters, p)
			continue
		}
		b.WriteString(" " + p.Keyword)
		if n, err := strconv.ParseUint(p.Value, 10, 62); err == nil && p.Keyword == "SIZE" {
			p.Value = strconv.FormatUint(min(n, math.MaxUint32), 10) // go-smtp reads no more bits; the session finds that too much
		}
		if p.Value != "" {
			b.WriteString("=" + p.Value)
		}
	}
	return g.pass(c.Verb, b.String())
}

// keeps tells whether a parameter is the session's, since go-smtp does not know it or reads it too narrowly.
func (g *guard) keeps(verb string, p wire.Parameter) bool {
	switch p.Keyword {
	case "AUTH":
		return verb == "MAIL"
	case "HOLDFOR", "HOLDUNTIL":
		return verb == "MAIL" && g.role != MX
	case "SMTPUTF8", "REQUIRETLS": // with a value they are badly said
		return verb == "MAIL" && p.Value != ""
	case "ORCPT": // go-smtp knows rfc822; of utf-8 (RFC 6533 3) it does not keep how it came
		kind, _, _ := strings.Cut(p.Value, ";")
		return verb == "RCPT" && !strings.EqualFold(kind, "rfc822")
	}
	return false
}

func cutPrefixFold(s, prefix string) (string, bool) {
	if len(s) < len(prefix) || !strings.EqualFold(s[:len(prefix)], prefix) {
		return "", false
	}
	return s[len(prefix):], true
}
