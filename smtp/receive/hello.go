package receive

import (
	"fmt"
	"time"

	"podmail/server"
)

// announced makes the extensions that go-smtp announces those that there are. Left out on purpose: BINARYMIME (RFC 3030),
// since a body that is no lines could be read by no IMAP client.
func (g *guard) announced(lines []string) []string {
	out := []string{g.s.o.Hostname}
	for _, l := range lines[1:] {
		switch {
		case l == "SIZE": // see Server.library
			out = append(out, fmt.Sprint("SIZE ", g.s.o.Server.MaxMessageSize()))
		default:
			out = append(out, l)
		}
	}
	if _, secret := g.tlsState(); secret {
		out = append(out, "REQUIRETLS") // RFC 8689
	} else if g.s.o.TLSConfig != nil {
		out = append(out, "STARTTLS")
	}
	if g.role != MX {
		until := g.s.o.Clock.Now().Add(server.MaxHold).UTC().Format(time.RFC3339)
		out = append(out, fmt.Sprint("FUTURERELEASE ", int64(server.MaxHold/time.Second), " ", until)) // RFC 4865
	}
	return out
}
