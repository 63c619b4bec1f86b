package imap

import (
	"strings"

	"podmail/imap/wire"
)

// id answers ID (RFC 2971), before login too. What the client says of itself helps the log only.
func (c *connection) id(cmd wire.Command) error {
	p := wire.NewParser(cmd.Args)
	var said []any
	if p.Peek() == '(' {
		var key string
		i := 0
		p.List(func() {
			if v := nstring(p); i%2 == 0 {
				key = strings.ToLower(v)
			} else if key == "name" || key == "version" || key == "vendor" {
				said = append(said, key, v[:min(len(v), 100)])
			}
			if i++; i > 60 { // RFC 2971 3.3: at most 30 pairs
				p.Fail("too many fields")
			}
		})
	} else if !strings.EqualFold(p.Atom(), "NIL") {
		p.Fail("expected a list or NIL")
	}
	p.ExpectEnd()
	if p.Err() != nil {
		return p.Err()
	}
	if len(said) > 0 {
		c.log.Debug("imap: client", said...)
	}
	return c.conn.Gather([]byte("* ID (\"name\" \"Podmail\")\r\n"))
}

func nstring(p *wire.Parser) string {
	if p.Peek() == '"' || p.Peek() == '{' {
		return p.AString()
	}
	if !strings.EqualFold(p.Atom(), "NIL") {
		p.Fail("expected a string or NIL")
	}
	return ""
}
