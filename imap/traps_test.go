package imap_test

import (
	"crypto/tls"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"podmail/imap"
	"podmail/mail"
)

// The tests of this file are the traps of go-imap's server, one each.

// TestOversizedLiteralIsNotExecuted: the library refuses {n+} and then runs its content as commands.
func TestOversizedLiteralIsNotExecuted(t *testing.T) {
	d := open(t)
	c := d.login(t)
	evil := "x CREATE Evil\r\n" + strings.Repeat("y", 5000)
	got := c.ask("a CREATE {%d+}\r\n%s", len(evil), evil)
	if !strings.HasPrefix(got[0], "a BAD ") {
		t.Errorf("got %q", got)
	}
	if bye := c.line(); !strings.HasPrefix(bye, "* BYE ") {
		t.Errorf("got %q", bye)
	}
	d.expectMailboxes(t, 6)
}

// TestRefusedLiteralIsNotExecuted: the same for small ones, of commands that are refused before they are read.
func TestRefusedLiteralIsNotExecuted(t *testing.T) {
	d := open(t)
	c := d.login(t)
	evil := "x CREATE Evil\r\n"
	for _, command := range []string{"FROBNICATE", "STATUS INBOX", "CREATE INBOX BOGUS", "LIST (BOGUS) ", "APPEND INBOX BOGUS"} {
		got := c.ask("a %s {%d+}\r\n%s", command, len(evil), evil)
		if !strings.HasPrefix(got[0], "a BAD ") {
			t.Errorf("%s: %q", command, got)
		}
	}
	if got := c.ask("b APPEND Nowhere {%d+}\r\n%s", len(evil), evil); !strings.HasPrefix(got[0], "b NO ") {
		t.Errorf("APPEND: %q", got)
	}
	if got := c.ask("c NOOP"); got[0] != "c OK NOOP completed" {
		t.Errorf("out of step: %q", got)
	}
	d.expectMailboxes(t, 6)
}

// TestAppendBeyondTheLimit: an APPEND beyond the limit must not leave its body behind as commands.
func TestAppendBeyondTheLimit(t *testing.T) {
	d := open(t)
	c := d.login(t)
	if got := c.ask("a APPEND INBOX {%d}", 60<<20+1); !strings.HasPrefix(got[0], "a NO [TOOBIG]") {
		t.Errorf("got %q", got)
	}
	if got := c.ask("b NOOP"); got[0] != "b OK NOOP completed" {
		t.Errorf("out of step: %q", got)
	}
}

// TestLongCommand: a command over 50 KB puts the library out of step.
func TestLongCommand(t *testing.T) {
	d := open(t)
	c := d.login(t)
	c.send("a SEARCH %s\r\nb CREATE Evil\r\n", strings.Repeat("SEEN ", 20_000))
	if got := c.line(); !strings.HasPrefix(got, "a BAD ") {
		t.Errorf("got %q", got)
	}
	if got := c.line(); !strings.HasPrefix(got, "* BYE ") {
		t.Errorf("got %q", got)
	}
	d.expectMailboxes(t, 6)
}

func (d *door) expectMailboxes(t *testing.T, n int) {
	t.Helper()
	list, err := d.Server.ListMailboxes(t.Context(), d.alice)
	if err != nil || len(list) != n {
		t.Errorf("mailboxes %v, %v", list, err)
	}
}

// TestCutOffAppend: the library takes the end of the connection for the end of the literal.
func TestCutOffAppend(t *testing.T) {
	d := open(t)
	c := d.login(t)
	c.send("a APPEND INBOX {1000}\r\n")
	c.line()
	c.send("Subject: half\r\n\r\n")
	c.Close()
	time.Sleep(50 * time.Millisecond)
	if st, err := d.Server.MailboxStatus(t.Context(), d.alice, "INBOX"); err != nil || st.Messages != 0 {
		t.Errorf("%d messages, %v", st.Messages, err)
	}
}

// TestHangUpDuringIdle: the library does not wait for the goroutine that idles; Close does. (That none is left, TestMain
// checks.)
func TestHangUpDuringIdle(t *testing.T) {
	d := open(t)
	for range 10 {
		c := d.login(t)
		c.ask("a SELECT INBOX")
		c.send("b IDLE\r\n")
		c.line()
		c.Close()
	}
	d.Deliver(t, alice, messages["plain"])
}

// foreign is a listener whose peers seem to come from elsewhere.
type foreign struct {
	net.Listener
	ip string
}

func (l foreign) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return foreignConn{c, &net.TCPAddr{IP: net.ParseIP(l.ip), Port: 4321}}, nil
}

type foreignConn struct {
	net.Conn
	addr net.Addr
}

func (c foreignConn) RemoteAddr() net.Addr { return c.addr }

// TestPlainTextOnlyOverTLS: the password is not taken in the clear from another machine; after STARTTLS it is, and so
// it is on a port with implicit TLS, where the guard must not hide the encryption from the library.
func TestPlainTextOnlyOverTLS(t *testing.T) {
	d := open(t)
	server, client := certificate(t)
	withTLS := func(o *imap.Options) { o.TLSConfig = server }
	_, addr := d.serve(t, func(ln net.Listener) net.Listener { return foreign{ln, "192.0.2.1"} }, withTLS)
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	c := newWireClient(t, conn)
	if got := c.line(); !strings.Contains(got, "STARTTLS LOGINDISABLED]") {
		t.Errorf("greeting %q", got)
	}
	if got := c.ask("a LOGIN %s %s", alice, d.key); !strings.HasPrefix(got[0], "a NO [PRIVACYREQUIRED]") {
		t.Errorf("LOGIN: %q", got)
	}
	if got := c.ask("b AUTHENTICATE PLAIN AGEAYg=="); !strings.HasPrefix(got[0], "b NO [PRIVACYREQUIRED]") {
		t.Errorf("AUTHENTICATE: %q", got)
	}
	if got := c.ask("c STARTTLS"); !strings.HasPrefix(got[0], "c OK ") {
		t.Fatalf("STARTTLS: %q", got)
	}
	secure := tls.Client(conn, client)
	c = newWireClient(t, secure)
	if got := c.ask("d CAPABILITY"); len(got) != 2 || strings.Contains(got[0], "STARTTLS") || !strings.Contains(got[0], "AUTH=PLAIN") {
		t.Errorf("CAPABILITY after STARTTLS: %q", got)
	}
	if got := c.ask("e STARTTLS"); !strings.HasPrefix(got[0], "e BAD ") && !strings.HasPrefix(got[0], "e NO ") {
		t.Errorf("STARTTLS twice: %q", got)
	}
	if got := c.ask("f LOGIN %s %s", alice, d.key); !strings.HasPrefix(got[0], "f OK ") {
		t.Errorf("LOGIN: %q", got)
	}
	evil := strings.Repeat("x", 5000)
	if got := c.ask("g CREATE {5000+}\r\n%s", evil); !strings.HasPrefix(got[0], "g BAD Non-") {
		t.Errorf("the guard does not see what is encrypted: %q", got)
	}

	_, addr = d.serve(t, func(ln net.Listener) net.Listener { return tls.NewListener(foreign{ln, "192.0.2.1"}, server) }, withTLS)
	secure, err = tls.Dial("tcp", addr, client)
	if err != nil {
		t.Fatal(err)
	}
	defer secure.Close()
	c = newWireClient(t, secure)
	if got := c.line(); strings.Contains(got, "STARTTLS") || !strings.Contains(got, "AUTH=PLAIN") {
		t.Errorf("greeting %q", got)
	}
	if got := c.ask("a AUTHENTICATE PLAIN %s", plain(alice, d.key)); !strings.HasPrefix(got[0], "a OK ") {
		t.Errorf("AUTHENTICATE: %q", got)
	}
}

// TestNothingSlipsUnderTLS: what is sent with STARTTLS in one breath must not be run as if it had been protected.
func TestNothingSlipsUnderTLS(t *testing.T) {
	d := open(t)
	server, _ := certificate(t)
	_, addr := d.serve(t, nil, func(o *imap.Options) { o.TLSConfig = server })
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	c := newWireClient(t, conn)
	c.line()
	c.send("a STARTTLS\r\nb NOOP\r\n")
	if got := c.line(); !strings.HasPrefix(got, "a BAD ") {
		t.Errorf("got %q", got)
	}
	if got := c.line(); !strings.HasPrefix(got, "* BYE ") {
		t.Errorf("got %q", got)
	}
}

// TestBytesAreSacred: the library's helpers parse and write anew; what is fetched here is what came in.
func TestBytesAreSacred(t *testing.T) {
	d := open(t)
	odd := "subject:no space\r\nX-Folded: a\r\n\tb\r\nX-Latin: caf\xe9\r\nsubject: twice\r\nContent-Type: multipart/mixed; boundary=\"b\"\r\n\r\n" +
		"preamble\r\n--b\r\ncontent-type : text/plain\r\n\r\n8bit \xff\r\n--b\r\n\r\nno header\r\n--b--\r\nepilogue without end"
	c := d.login(t)
	c.ask("a APPEND INBOX {%d}\r\n%s", len(odd), odd)
	c.ask("b SELECT INBOX")
	got := strings.Join(c.ask("c FETCH 1 BODY.PEEK[]"), "\r\n")
	if !strings.Contains(got, fmt.Sprintf("{%d}\r\n%s)\r\n", len(odd), odd)) {
		t.Errorf("got %q", got)
	}
	got = strings.Join(c.ask("d FETCH 1 (BODY.PEEK[1] BODY.PEEK[1.MIME] BODY.PEEK[2] BODY.PEEK[HEADER.FIELDS (SUBJECT)])"), "\r\n")
	for _, want := range []string{"BODY[1] {6}\r\n8bit \xff", "BODY[1.MIME] {29}\r\ncontent-type : text/plain\r\n\r\n", "BODY[2] {9}\r\nno header", "subject:no space\r\nsubject: twice\r\n\r\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("missing %q in %q", want, got)
		}
	}
}

// TestUnsolicitedBeforeIdle: the library's tracker loses what was queued before IDLE started. Here it is told, in the
// right numbers, whatever came in whichever order.
func TestUnsolicitedBeforeIdle(t *testing.T) {
	d := open(t)
	for range 5 {
		d.Deliver(t, alice, messages["plain"])
	}
	c := d.login(t)
	c.ask("a SELECT INBOX")
	d.move(t, "Trash", 2, 4)
	d.Deliver(t, alice, messages["reply"])
	d.move(t, "Trash", 5)
	c.send("b IDLE\r\n")
	var got []string
	for range 5 {
		got = append(got, c.line())
	}
	if want := "+ idling,* 5 EXPUNGE,* 4 EXPUNGE,* 2 EXPUNGE,* 3 EXISTS"; strings.Join(got, ",") != want {
		t.Errorf("got %q", got)
	}
	c.send("DONE\r\n")
	c.line()
	if got := strings.Join(c.ask("c FETCH 1:* UID"), " "); !strings.HasPrefix(got, "* 1 FETCH (UID 1) * 2 FETCH (UID 3) * 3 FETCH (UID 6) ") {
		t.Errorf("got %q", got)
	}
}

// move moves messages of INBOX by UID, as another session would.
func (d *door) move(t testing.TB, dest string, uids ...uint32) {
	t.Helper()
	inbox, err := d.Server.MailboxStatus(t.Context(), d.alice, "INBOX")
	if err != nil {
		t.Fatal(err)
	}
	for _, uid := range uids {
		if _, err := d.Server.MoveMessages(t.Context(), d.alice, inbox.ID, []mail.UIDRange{{First: uid, Last: uid}}, dest); err != nil {
			t.Fatal(err)
		}
	}
}
