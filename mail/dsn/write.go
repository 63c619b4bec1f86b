package dsn

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"
)

// Notice is a notification to be written.
type Notice struct {
	Report
	From         string // the mail system's address
	To           string // who sent the message: its reverse-path
	Notification string // Message-ID of the notification itself, with angle brackets
	Date         time.Time
	BoundarySeed string    // unique to the notification
	Returned     io.Reader // the message that it is about, from its first byte
	Full         bool      // all of it comes back, else its header (RET, RFC 3461 4.3)
	EightBit     bool      // it has bytes beyond ASCII
}

// action is the strongest of the recipients' actions, which the notification is about.
func (n *Notice) action() Action {
	best := Delivered
	for _, to := range n.Recipients {
		switch {
		case to.Action == Failed:
			return Failed
		case to.Action == Delayed, best == Delivered && to.Action == Expanded:
			best = to.Action
		}
	}
	return best
}

// beyondASCII tells whether the notification must be an internationalized one (RFC 6533).
func (n *Notice) beyondASCII() bool {
	for _, to := range n.Recipients {
		if !isASCII(to.Final) || !isASCII(to.Original) || !isASCII(to.Diagnostic) {
			return true
		}
	}
	return false
}

// Write writes the notification as a message. It is sent from the null reverse-path, which is the caller's to do.
func Write(out io.Writer, n *Notice) error {
	w := bufio.NewWriter(out)
	boundary := "=_" + n.BoundarySeed + "_dsn"
	fmt.Fprintf(w, "Date: %s\r\n", stamp(n.Date))
	fmt.Fprintf(w, "From: Mail Delivery System <%s>\r\n", line(n.From))
	fmt.Fprintf(w, "To: %s\r\n", line(n.To))
	fmt.Fprintf(w, "Subject: %s\r\n", subjects[n.action()])
	fmt.Fprintf(w, "Message-ID: %s\r\n", n.Notification)
	if n.MessageID != "" {
		fmt.Fprintf(w, "In-Reply-To: %s\r\nReferences: %s\r\n", line(n.MessageID), line(n.MessageID))
	}
	fmt.Fprint(w, "Auto-Submitted: auto-replied\r\n", "MIME-Version: 1.0\r\n")
	kind, bits := "delivery-status", "7bit"
	if n.beyondASCII() {
		kind, bits = "global-delivery-status", "8bit"
	}
	fmt.Fprintf(w, "Content-Type: multipart/report; report-type="+kind+";\r\n boundary=\"%s\"\r\n\r\n", boundary)
	fmt.Fprintf(w, "--%s\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\nContent-Description: Notification\r\n\r\n%s\r\n", boundary, n.prose())
	fmt.Fprintf(w, "--%s\r\nContent-Type: message/%s\r\nContent-Transfer-Encoding: %s\r\nContent-Description: Delivery report\r\n\r\n%s\r\n", boundary, kind, bits, n.fields())
	if err := n.back(w, boundary); err != nil {
		return err
	}
	fmt.Fprintf(w, "\r\n--%s--\r\n", boundary)
	return w.Flush()
}

var subjects = map[Action]string{Failed: "Undelivered mail returned to sender", Delayed: "Mail is delayed (still being tried)", Delivered: "Mail was delivered", Expanded: "Mail was delivered and handed on"}

// prose is the part for people.
func (n *Notice) prose() string {
	var b strings.Builder
	fmt.Fprintf(&b, "This is the mail system at %s.\r\n\r\n", line(n.ReportingMTA))
	switch n.action() {
	case Failed:
		b.WriteString("Your message could not be delivered to the following recipients, and will\r\nnot be tried again:\r\n")
	case Delayed:
		b.WriteString("Your message could not be delivered yet to the following recipients. It is\r\nstill being tried; you need not send it again:\r\n")
	case Expanded:
		b.WriteString("Your message was delivered to the following recipients, who have it handed on\r\nto others:\r\n")
	default:
		b.WriteString("Your message was delivered to the following recipients, or handed on to a\r\nhost that does not say more:\r\n")
	}
	for _, to := range n.Recipients {
		fmt.Fprintf(&b, "\r\n  <%s>\r\n", line(to.named()))
		if to.Diagnostic != "" {
			from := ""
			if to.RemoteMTA != "" && !to.Own {
				from = line(to.RemoteMTA) + " said: "
			}
			b.WriteString("    " + strings.Join(wrap(from+line(to.Diagnostic), 72), "\r\n    ") + "\r\n")
		}
		if !to.RetryUntil.IsZero() {
			fmt.Fprintf(&b, "    It is tried until %s.\r\n", stamp(to.RetryUntil))
		}
	}
	return b.String()
}

// named is the recipient as the sender knows it.
func (r *Recipient) named() string {
	if r.Original != "" {
		return r.Original
	}
	return r.Final
}

// fields is the part for machines (RFC 3464 2).
func (n *Notice) fields() string {
	var b strings.Builder
	put := func(name, value string) {
		if value != "" {
			b.WriteString(name + ": " + strings.Join(wrap(line(value), 900), "\r\n ") + "\r\n")
		}
	}
	if n.EnvelopeID != "" {
		put("Original-Envelope-Id", Xtext(n.EnvelopeID))
	}
	put("Reporting-MTA", "dns; "+n.ReportingMTA)
	put("Arrival-Date", stamp(n.ArrivalDate))
	for _, to := range n.Recipients {
		b.WriteString("\r\n")
		put("Original-Recipient", typedAddress(to.OriginalType, to.Original))
		put("Final-Recipient", typedAddress("", to.Final))
		put("Action", string(to.Action))
		put("Status", to.Status)
		if host, _, _ := strings.Cut(to.RemoteMTA, " "); host != "" {
			put("Remote-MTA", "dns; "+host)
		}
		if to.Diagnostic != "" && to.Own {
			put("Diagnostic-Code", "x-podmail; "+to.Diagnostic) // RFC 3464 2.3.6: not SMTP's
		} else if to.Diagnostic != "" {
			put("Diagnostic-Code", "smtp; "+to.Diagnostic)
		}
		put("Last-Attempt-Date", stamp(to.LastAttempt))
		put("Will-Retry-Until", stamp(to.RetryUntil))
	}
	return b.String()
}

// typedAddress writes a recipient with its type, that of mail if kind is empty; one beyond ASCII as it is (RFC 6533 4).
func typedAddress(kind, a string) string {
	switch {
	case a == "":
		return ""
	case kind != "":
		return kind + "; " + a
	case isASCII(a):
		return "rfc822; " + a
	}
	return "utf-8; " + a
}

// back writes the message, or its header, that comes back (RFC 6522 3).
func (n *Notice) back(w *bufio.Writer, boundary string) error {
	if n.Returned == nil {
		return nil
	}
	kind := map[[2]bool]string{{true, false}: "message/rfc822", {true, true}: "message/rfc822\r\nContent-Transfer-Encoding: 8bit",
		{false, false}: "text/rfc822-headers", {false, true}: "message/global-headers\r\nContent-Transfer-Encoding: 8bit"}[[2]bool{n.Full, n.EightBit}]
	fmt.Fprintf(w, "--%s\r\nContent-Type: %s\r\nContent-Description: Original message\r\n\r\n", boundary, kind)
	if n.Full {
		if _, err := io.Copy(w, n.Returned); err != nil {
			return fmt.Errorf("return the message: %w", err)
		}
		return nil
	}
	header, err := io.ReadAll(io.LimitReader(n.Returned, maxReturnedHeader))
	if err != nil {
		return fmt.Errorf("return the header: %w", err)
	}
	header = headerOf(header)
	if !bytes.HasSuffix(header, []byte("\n")) && len(header) == maxReturnedHeader { // cut: whole lines only
		header = header[:bytes.LastIndexByte(header, '\n')+1]
	}
	_, err = w.Write(header)
	return err
}

// maxReturnedHeader bounds what comes back of a header.
const maxReturnedHeader = 64 << 10

// stamp writes a date; nothing for the zero time.
func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("Mon, 02 Jan 2006 15:04:05 -0700")
}

// line makes one line of text.
func line(s string) string {
	return strings.Join(strings.Fields(strings.ToValidUTF8(s, "\uFFFD")), " ")
}

// wrap breaks text at spaces into lines of about width bytes, and a word that is longer by force.
func wrap(s string, width int) (lines []string) {
	for len(s) > width {
		cut := strings.LastIndexByte(s[:width+1], ' ')
		if cut <= 0 {
			for cut = width; cut > 1 && !utf8.RuneStart(s[cut]); cut-- {
			}
		}
		lines = append(lines, s[:cut])
		s = strings.TrimLeft(s[cut:], " ")
	}
	return append(lines, s)
}
