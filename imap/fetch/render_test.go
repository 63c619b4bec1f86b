package fetch_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"io"
	"strconv"
	"strings"
	"testing"
	"time"

	"podmail/imap/fetch"
	"podmail/imap/wire"
	"podmail/mail"
)

// nested is a multipart message with a text, a forwarded message and a picture.
var nested = strings.ReplaceAll(`From: a@x.test
Subject: one
 two
X-Odd : kept
Content-Type: multipart/mixed; boundary=b

--b
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: quoted-printable

caf=C3=A9
--b
Content-Type: message/rfc822

Subject: inner

inner text
--b
Content-Type: image/png
Content-Transfer-Encoding: base64

`, "\n", "\r\n") + base64.StdEncoding.EncodeToString(bytes.Repeat([]byte("\x89PNG\x00"), 30)) + "\r\n--b--\r\n"

func at(s string) int64 { return int64(strings.Index(nested, s)) }

func structure() *mail.Part {
	return &mail.Part{
		Type: "multipart", Subtype: "mixed", Params: map[string]string{"boundary": "b"}, Body: at("--b"), End: int64(len(nested)),
		Children: []*mail.Part{
			{
				Type: "text", Subtype: "plain", Params: map[string]string{"charset": "utf-8"}, Encoding: "quoted-printable",
				Header: at("Content-Type: text"), Body: at("caf"), End: at("caf") + 9, Lines: 1,
			},
			{
				Type: "message", Subtype: "rfc822", Header: at("Content-Type: message"), Body: at("Subject: inner"), End: at("inner text") + 10, Lines: 3,
				Envelope: &mail.Envelope{Subject: "inner"},
				Children: []*mail.Part{{Type: "text", Subtype: "plain", Header: at("Subject: inner"), Body: at("inner text"), End: at("inner text") + 10, Lines: 1}},
			},
			{
				Type: "image", Subtype: "png", Encoding: "base64", Disposition: "attachment", DispParams: map[string]string{"filename": "grün.png"},
				Header: at("Content-Type: image"), Body: at("iVBORw"), End: int64(len(nested) - len("\r\n--b--\r\n")),
			},
		},
	}
}

func message() *fetch.Message {
	return &fetch.Message{
		Seq: 3, UID: 17, Flags: []string{`\Seen`, "work"}, InternalDate: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Size: int64(len(nested)),
		Envelope: &mail.Envelope{
			Date: "Fri, 2 Jan 2026 03:04:05 +0100", Subject: "grün \"x\"", From: []mail.Address{{Name: "A", Mailbox: "a", Host: "x.test"}},
			To:        []mail.Address{{Mailbox: "friends"}, {Mailbox: "b", Host: "x.test"}, {}},
			InReplyTo: []string{"<1@x>", "<2@x>"}, MessageID: "<3@x>",
		},
		Structure: structure(), Raw: strings.NewReader(nested),
	}
}

func render(t testing.TB, items string, utf8ok bool, m *fetch.Message) (string, error) {
	t.Helper()
	p := wire.NewParser([]byte(items))
	it := fetch.ParseItems(p)
	if p.ExpectEnd(); p.Err() != nil {
		return "", p.Err()
	}
	r := fetch.NewRenderer()
	r.Reset(&it, utf8ok)
	if err := r.Add(m); err != nil {
		return "", err
	}
	return string(r.Out()), nil
}

func lit(s string) string { return "{" + itoa(len(s)) + "}\r\n" + s }

func itoa(n int) string { return strconv.Itoa(n) }

func TestItems(t *testing.T) {
	header := nested[:at("--b")]
	for items, want := range map[string]string{
		"FLAGS":                         `FLAGS (\Seen work)`,
		"FAST":                          `FLAGS (\Seen work) INTERNALDATE " 2-Jan-2026 03:04:05 +0000" RFC822.SIZE ` + itoa(len(nested)),
		"(UID body[])":                  "UID 17 BODY[] " + lit(nested),
		"RFC822":                        "RFC822 " + lit(nested),
		"RFC822.HEADER":                 "RFC822.HEADER " + lit(header),
		"BODY.PEEK[HEADER]":             "BODY[HEADER] " + lit(header),
		"BODY[TEXT]":                    "BODY[TEXT] " + lit(nested[at("--b"):]),
		"BODY[TEXT]<2.3>":               "BODY[TEXT]<2> " + lit("b\r\n"),
		"BODY[]<9999.5>":                "BODY[]<9999> " + lit(""),
		"BODY[1]":                       "BODY[1] " + lit("caf=C3=A9"),
		"BODY[1.MIME]":                  "BODY[1.MIME] " + lit(nested[at("Content-Type: text"):at("caf")]),
		"BODY[2]":                       "BODY[2] " + lit("Subject: inner\r\n\r\ninner text"),
		"BODY[2.HEADER]":                "BODY[2.HEADER] " + lit("Subject: inner\r\n\r\n"),
		"BODY[2.TEXT]":                  "BODY[2.TEXT] " + lit("inner text"),
		"BODY[2.1]":                     "BODY[2.1] " + lit("inner text"),
		"BODY[2.1.MIME]":                "BODY[2.1.MIME] " + lit("Subject: inner\r\n\r\n"),
		"BODY[2.HEADER.FIELDS (TO)]":    `BODY[2.HEADER.FIELDS ("TO")] ` + lit("\r\n"),
		"BODY[4]":                       "BODY[4] NIL",
		"BODY[1.HEADER]":                "BODY[1.HEADER] NIL",
		"BODY[1.1]":                     "BODY[1.1] NIL",
		"(BODY[1] BODY[2.TEXT])":        "BODY[1] " + lit("caf=C3=A9") + " BODY[2.TEXT] " + lit("inner text"),
		"BODY[HEADER.FIELDS (subject)]": `BODY[HEADER.FIELDS ("subject")] ` + lit("Subject: one\r\n two\r\n\r\n"),
		"BODY[HEADER.FIELDS.NOT (FROM \"Content-Type\" subject)]": `BODY[HEADER.FIELDS.NOT ("FROM" "Content-Type" "subject")] ` + lit("X-Odd : kept\r\n\r\n"),
		"BODY[HEADER.FIELDS (x-odd)]<0.5>":                        `BODY[HEADER.FIELDS ("x-odd")]<0> ` + lit("X-Odd"),
		"BINARY[1]":                                               "BINARY[1] ~" + lit("café"),
		"BINARY.SIZE[1]":                                          "BINARY.SIZE[1] 5",
		"BINARY.PEEK[3]<1.4>":                                     "BINARY[3]<1> ~" + lit("PNG\x00"),
		"BINARY.SIZE[3]":                                          "BINARY.SIZE[3] 150",
		"(BINARY[1] BINARY[3]<0.4> BODY[1]<0.3>)":                 "BINARY[1] ~" + lit("café") + " BINARY[3]<0> ~" + lit("\x89PNG") + " BODY[1]<0> " + lit("caf"),
		"ENVELOPE": `ENVELOPE ("Fri, 2 Jan 2026 03:04:05 +0100" "=?utf-8?q?gr=C3=BCn_\"x\"?=" (("A" NIL "a" "x.test")) (("A" NIL "a" "x.test")) ` +
			`(("A" NIL "a" "x.test")) ((NIL NIL "friends" NIL)(NIL NIL "b" "x.test")(NIL NIL NIL NIL)) NIL NIL "<1@x> <2@x>" "<3@x>")`,
		"BODY": `BODY (("text" "plain" ("charset" "utf-8") NIL NIL "quoted-printable" 9 1)` +
			`("message" "rfc822" NIL NIL NIL "7bit" 28 (NIL "inner" NIL NIL NIL NIL NIL NIL NIL NIL) ("text" "plain" NIL NIL NIL "7bit" 10 1) 3)` +
			`("image" "png" NIL NIL NIL "base64" 200) "mixed")`,
		"BODYSTRUCTURE": `BODYSTRUCTURE (("text" "plain" ("charset" "utf-8") NIL NIL "quoted-printable" 9 1 NIL NIL NIL NIL)` +
			`("message" "rfc822" NIL NIL NIL "7bit" 28 (NIL "inner" NIL NIL NIL NIL NIL NIL NIL NIL) ("text" "plain" NIL NIL NIL "7bit" 10 1 NIL NIL NIL NIL) 3 NIL NIL NIL NIL)` +
			`("image" "png" NIL NIL NIL "base64" 200 NIL ("attachment" ("filename*" "utf-8''gr%C3%BCn.png")) NIL NIL) "mixed" ("boundary" "b") NIL NIL NIL)`,
	} {
		got, err := render(t, items, false, message())
		if want := "* 3 FETCH (" + want + ")\r\n"; err != nil || got != want {
			t.Errorf("%s:\n got %q, %v\nwant %q", items, got, err, want)
		}
	}
	got, err := render(t, "(ENVELOPE)", true, message())
	if err != nil || !strings.Contains(got, `"grün \"x\""`) {
		t.Errorf("with UTF-8: %q, %v", got, err)
	}
}

func TestBadItems(t *testing.T) {
	for _, items := range []string{
		"", "()", "(FLAGS", "FLAGS)", "(ALL)", "WHAT", "BODY[", "BODY[]<1>", "BODY[]<1.0>", "BODY[MIME]", "BODY[1.]", "BODY[1HEADER]", "BODY[.TEXT]",
		"BODY[HEADER.FIELDS]", "BODY[HEADER.FIELDS ()]", "BODY[0]", "BINARY[TEXT]", "BODY.PEEK", "(FLAGS  UID)", "BODY[99999999999999999999]",
		"BODY[" + strings.Repeat("1.", 2000) + "1]",
	} {
		if got, err := render(t, items, false, message()); !errors.Is(err, wire.ErrSyntax) && items != "()" {
			t.Errorf("%.40q: %.100q, %v", items, got, err)
		}
	}
}

func TestUnknownEncoding(t *testing.T) {
	m := message()
	m.Structure.Children[0].Encoding = "x-rot13"
	if _, err := render(t, "BINARY[1]", false, m); !errors.Is(err, fetch.ErrEncoding) {
		t.Errorf("got %v", err)
	}
}

// TestStringsThatCannotBeQuoted: whatever a header holds, the response keeps its grammar.
func TestStringsThatCannotBeQuoted(t *testing.T) {
	m := message()
	m.Envelope = &mail.Envelope{Subject: "a\r\nb\x00c", Date: "ü", MessageID: "<" + strings.Repeat("x", 5000) + ">"}
	got, err := render(t, "ENVELOPE", false, m)
	if want := "(" + lit("ü") + " " + lit("a\r\nbc") + " NIL"; err != nil || !strings.Contains(got, want) {
		t.Errorf("got %.200q, %v", got, err)
	}
}

// TestLargeMessage: a message larger than the buffer comes out in turns, even if its bytes are handed in anew each time.
func TestLargeMessage(t *testing.T) {
	big := strings.Repeat("0123456789abcdef", 100_000)
	encoded := base64.StdEncoding.EncodeToString([]byte(big))
	raw := "H: v\r\n\r\n" + encoded
	root := &mail.Part{Type: "application", Subtype: "x", Encoding: "base64", Body: 8, End: int64(len(raw))}
	p := wire.NewParser([]byte("(BODY[] BINARY[1] BODY[TEXT]<5.600000>)"))
	items := fetch.ParseItems(p)
	r := fetch.NewRenderer()
	r.Reset(&items, false)
	small := &fetch.Message{Seq: 1, UID: 1, Size: 8, Structure: &mail.Part{Type: "text", Subtype: "plain", Body: 8, End: 8}, Raw: strings.NewReader("H: v\r\n\r\n")}
	if err := r.Add(small); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	turns := 0
	for {
		err := r.Add(&fetch.Message{Seq: 2, UID: 2, Size: int64(len(raw)), Structure: root, Raw: strings.NewReader(raw)})
		if len(r.Out()) > fetch.BufferSize {
			t.Fatalf("the buffer grew to %d", len(r.Out()))
		}
		out.Write(r.Out())
		r.Sent()
		if err == nil {
			break
		} else if !errors.Is(err, fetch.ErrFull) {
			t.Fatal(err)
		}
		if turns++; turns == 2 && r.Midway() != 2 {
			t.Errorf("midway %d", r.Midway())
		}
	}
	want := "* 1 FETCH (BODY[] " + lit("H: v\r\n\r\n") + " BINARY[1] ~{0}\r\n BODY[TEXT]<5> {0}\r\n)\r\n" +
		"* 2 FETCH (BODY[] " + lit(raw) + " BINARY[1] ~" + lit(big) + " BODY[TEXT]<5> " + lit(encoded[5:600005]) + ")\r\n"
	if out.String() != want {
		t.Errorf("got %d bytes in %d turns, want %d", out.Len(), turns, len(want))
	}
	if r.Midway() != 0 {
		t.Errorf("midway %d at the end", r.Midway())
	}
}

func TestUnreadable(t *testing.T) {
	m := message()
	m.Raw = strings.NewReader(nested[:100])
	if _, err := render(t, "BODY[]", false, m); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("got %v", err)
	}
}

func BenchmarkEnvelope(b *testing.B) { benchmark(b, "(UID FLAGS ENVELOPE)") }
func BenchmarkWhole(b *testing.B)    { benchmark(b, "BODY.PEEK[]") }

func benchmark(b *testing.B, items string) {
	it := fetch.ParseItems(wire.NewParser([]byte(items)))
	r := fetch.NewRenderer()
	r.Reset(&it, false)
	m := message()
	b.ReportAllocs()
	for b.Loop() {
		if err := r.Add(m); err != nil {
			r.Sent()
		}
	}
}
