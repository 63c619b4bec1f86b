package server

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"podmail/mail"
	"podmail/storage"
)

// bounceTag begins the sub-address to which what comes back is sent.
const bounceTag = "bounce-"

// maxLocal is how long a local part may be (RFC 5321 4.5.3.1.1).
const maxLocal = 64

// bouncePath is a reverse-path for what comes back: a sub-address of the inbox that sends, which names the
// message and the destination. What comes back to it is known to be from there, whatever it shows of the message: nobody
// else was told it, and no other destination of the same message was told this one.
func (s *Server) bouncePath(d *mail.Delivery) string {
	local, domain, ok := mail.SplitAddress(inboxAddress(d.Sender))
	path := fmt.Sprintf("%s+%s%s-%s@%s", local, bounceTag, strconv.FormatInt(d.Message, 36), s.bounceMAC(d), domain)
	if !ok || d.Message == 0 || len(path)-len(domain)-1 > maxLocal {
		return d.Sender
	}
	return path
}

// reversePath is the reverse-path under which a delivery leaves for another host by a route. Smarthosts often take the
// plain address of their customer only.
func (s *Server) reversePath(d *mail.Delivery, by mail.Route) string {
	if by.Relay != nil || d.Purpose != mail.PurposeSent { // what is handed on has an address of its own for that
		return d.Sender
	}
	return s.bouncePath(d)
}

// leavesPlain tells whether a delivery leaves under the address of its sender, so that nothing which comes back proves
// where it is from.
func (s *Server) leavesPlain(tx storage.Tx, d *mail.Delivery) (bool, error) {
	_, domain, _ := mail.SplitAddress(d.Sender)
	route, _, err := s.routeIn(tx, strings.ToLower(domain))
	return s.reversePath(d, route) == d.Sender, err
}

// bounceMAC is what makes a bounce path hard to guess.
func (s *Server) bounceMAC(d *mail.Delivery) string {
	mac := hmac.New(sha256.New, s.organization.Secret)
	fmt.Fprintf(mac, "bounce path %d %d %d %s", d.Pod, d.Inbox, d.Message, d.Destination)
	return hex.EncodeToString(mac.Sum(nil)[:6])
}

// readBouncePath takes a bounce path apart. Whether it is one of ours, bounceMAC tells.
func readBouncePath(address string) (message int64, mac string, ok bool) {
	local, _, _ := mail.SplitAddress(mail.CanonicalAddress(address))
	_, tag, _ := strings.Cut(local, "+"+bounceTag)
	id, mac, ok := strings.Cut(tag, "-")
	if !ok {
		return 0, "", false
	}
	message, err := strconv.ParseInt(id, 36, 64)
	return message, mac, err == nil && message > 0
}
