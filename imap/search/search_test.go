package search_test

import (
	"encoding/base64"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"podmail/imap/search"
	"podmail/imap/tracker"
	"podmail/imap/wire"
	"podmail/mail"
)

var raw = strings.ReplaceAll(`From: =?utf-8?q?J=C3=BCrgen?= <j@x.test>
Subject: =?iso-8859-1?q?gr=FCn?=
 and folded
X-Tag:
Content-Type: multipart/mixed; boundary=b

--b
Content-Type: text/plain; charset=iso-8859-1
Content-Transfer-Encoding: quoted-printable

Soft break: nee=
dle, caf=E9
--b
Content-Type: message/rfc822

Subject: attached

TEXT=
`, "\n", "\r\n") + base64.StdEncoding.EncodeToString([]byte(strings.Repeat("x", 40_000)+"Straße"+strings.Repeat("y", 40_000)))

func at(s string) int64 { return int64(strings.Index(raw, s)) }

func message() *search.Message {
	return &search.Message{
		Seq: 2, UID: 20, Labels: []string{"received", "starred", "unread", "project x"}, Size: 1000,
		InternalDate: time.Date(2026, 1, 2, 23, 0, 0, 0, time.UTC),
		Envelope: &mail.Envelope{
			Date: "Thu, 1 Jan 2026 23:30:00 -0500", Subject: "grün and folded", From: []mail.Address{{Name: "Jürgen", Mailbox: "j", Host: "x.test"}},
			To: []mail.Address{{Mailbox: "to", Host: "y.test"}}, Cc: []mail.Address{{Mailbox: "cc", Host: "y.test"}},
		},
		Structure: &mail.Part{
			Type: "multipart", Subtype: "mixed", Body: at("--b"), End: int64(len(raw)),
			Children: []*mail.Part{
				{Type: "text", Subtype: "plain", Params: map[string]string{"charset": "iso-8859-1"}, Encoding: "quoted-printable", Body: at("Soft"), End: at("=E9") + 3},
				{Type: "message", Subtype: "rfc822", Body: at("Subject: attached"), End: int64(len(raw)), Children: []*mail.Part{
					{Type: "text", Subtype: "plain", Encoding: "base64", Header: at("Subject: attached"), Body: at("TEXT=") + 7, End: int64(len(raw))},
				}},
			},
		},
		Raw: strings.NewReader(raw),
	}
}

type sets struct{ *tracker.Mailbox }

func (sets) Saved() []mail.UIDRange { return []mail.UIDRange{{First: 20, Last: 20}} }

func mailbox() sets { return sets{tracker.New([]uint32{10, 20, 30}, 31, 1)} }

func TestSearch(t *testing.T) {
	for query, want := range map[string]bool{
		"ALL": true, "UNSEEN": true, "SEEN": false, "FLAGGED": true, "UNFLAGGED": false, "ANSWERED": false, "UNANSWERED": true,
		"DELETED": false, "UNDELETED": true, "DRAFT": false, "RECENT": false, "NEW": false, "OLD": true, "UNDRAFT": true,
		"KEYWORD project=20x": true, "KEYWORD Project=20X": true, "UNKEYWORD project=20x": false, `KEYWORD $Forwarded`: false,
		"2": true, "1": false, "1:2": true, "1,3": false, "2:*": true, "UID 20": true, "UID 10,30": false, "UID 15:*": true, "$": true, "NOT $": false,
		"LARGER 999": true, "LARGER 1000": false, "SMALLER 1000": false, "SMALLER 1001": true,
		"SMALLER 500 SINCE 1-Jan-2020": false, "SMALLER 0": false,
		"SINCE 2-Jan-2026": true, "SINCE 3-Jan-2026": false, "BEFORE 2-Jan-2026": false, "BEFORE 3-Jan-2026": true,
		"ON 2-Jan-2026": true, `ON "02-Jan-2026"`: true, "ON 3-Jan-2026": false,
		"SENTON 1-Jan-2026": true, "SENTON 2-Jan-2026": false, "SENTSINCE 1-Jan-2026": true, "SENTBEFORE 1-Jan-2026": false,
		"FROM jürgen": true, "FROM JÜRGEN": true, `FROM "Jürgen <j@"`: true, "FROM nobody": false, "TO y.test": true, "CC cc@": true, "BCC x": false, `BCC ""`: false,
		`SUBJECT "GRÜN AND"`: true, "SUBJECT red": false,
		"HEADER Subject folded": true, "HEADER subject GRÜN": true, `HEADER X-Tag ""`: true, `HEADER X-None ""`: false, "HEADER X-Tag v": false,
		"BODY needle": true, "BODY CAFÉ": true, "BODY folded": false, "TEXT folded": true, "TEXT x-tag:": true, "BODY attached": true,
		"BODY strasse": false, "BODY STRAßE": true, "BODY absent": false, `BODY ""`: true,
		"CHARSET UTF-8 BODY {6}\r\ncafé,": false, "CHARSET utf-8 BODY {5+}\r\ncafé": true,
		"NOT SEEN NOT ANSWERED": true, "OR SEEN FLAGGED": true, "OR SEEN ANSWERED": false, "NOT (UNSEEN FLAGGED)": false, "(UNSEEN (FLAGGED))": true,
		"OR (SEEN FLAGGED) NOT OR SEEN ANSWERED": true, "RETURN (MIN COUNT) UNSEEN": true, "RETURN () CHARSET US-ASCII ALL": true, "UNSEEN ": true,
	} {
		q, err := search.Parse(wire.NewParser([]byte(query)), mailbox())
		if err != nil {
			t.Errorf("%q: %v", query, err)
			continue
		}
		m := message()
		if !q.NeedsEnvelope() {
			m.Envelope = nil
		}
		if !q.NeedsRaw() {
			m.Raw, m.Structure = nil, nil
		}
		if got, err := q.Match(m); got != want || err != nil {
			t.Errorf("%q = %v, %v", query, got, err)
		}
	}
}

func TestBadSearch(t *testing.T) {
	for query, want := range map[string]error{
		"": wire.ErrSyntax, "WHAT": wire.ErrSyntax, "SUBJECT": wire.ErrSyntax, "SUBJECT \"x": wire.ErrSyntax, "(SEEN": wire.ErrSyntax, "()": wire.ErrSyntax, "NOT": wire.ErrSyntax,
		"OR SEEN": wire.ErrSyntax, "SINCE tomorrow": wire.ErrSyntax, "LARGER x": wire.ErrSyntax, "UID x": wire.ErrSyntax, "0": wire.ErrSyntax, "SEEN)": wire.ErrSyntax,
		"RETURN (WHAT) ALL": wire.ErrSyntax, "BODY {9}\r\nx": wire.ErrSyntax, strings.Repeat("NOT ", 5000) + "SEEN": wire.ErrSyntax, strings.Repeat("(", 5000): wire.ErrSyntax,
		"CHARSET KOI8-R ALL": search.ErrCharset, "4": tracker.ErrNumber, "SEEN  FLAGGED": wire.ErrSyntax,
	} {
		if _, err := search.Parse(wire.NewParser([]byte(query)), mailbox()); !errors.Is(err, want) {
			t.Errorf("%.40q: %v, want %v", query, err, want)
		}
	}
}

func TestReturn(t *testing.T) {
	q, err := search.Parse(wire.NewParser([]byte("return (min save) all")), mailbox())
	if want := (search.Return{Extended: true, Min: true, Save: true}); err != nil || q.Return != want {
		t.Errorf("got %+v, %v", q.Return, err)
	}
	q, err = search.Parse(wire.NewParser([]byte("RETURN () UID 1:25 SEEN")), mailbox())
	if want := (search.Return{Extended: true, All: true}); err != nil || q.Return != want {
		t.Errorf("got %+v, %v", q.Return, err)
	}
	if bounds, ok := q.Bounds(); !ok || len(bounds) != 1 || bounds[0].Last != 25 {
		t.Errorf("bounds %v, %v", bounds, ok)
	}
}

// TestCheapFirst: what the flags decide is not looked up in the body.
func TestCheapFirst(t *testing.T) {
	q, err := search.Parse(wire.NewParser([]byte("BODY needle SEEN")), mailbox())
	if err != nil {
		t.Fatal(err)
	}
	m := message()
	m.Raw = unreadable{}
	if ok, err := q.Match(m); ok || err != nil {
		t.Errorf("got %v, %v", ok, err)
	}
	m.Labels = nil
	if _, err := q.Match(m); !errors.Is(err, errUnreadable) {
		t.Errorf("got %v, want the error of reading", err)
	}
}

type unreadable struct{}

var errUnreadable = errors.New("unreadable")

func (unreadable) ReadAt([]byte, int64) (int, error) { return 0, errUnreadable }

var _ io.ReaderAt = unreadable{}
