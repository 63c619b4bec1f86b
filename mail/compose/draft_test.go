package compose_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	netmail "net/mail"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"podmail/mail"
	"podmail/mail/compose"
	"podmail/mail/parse"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// draft is what every test starts from.
func draft() *compose.Draft {
	return &compose.Draft{
		From:      mail.Address{Name: "Ada", Mailbox: "ada", Host: "pod.example"},
		To:        []mail.Address{{Mailbox: "bob", Host: "else.example"}},
		Subject:   "Hello",
		Text:      "Hi Bob\n",
		MessageID: "<1@pod.example>", Date: noon, BoundarySeed: "seed",
	}
}

func file(name, contentType, content string) compose.Attachment {
	return compose.Attachment{Filename: name, ContentType: contentType, Open: func() (io.Reader, error) { return strings.NewReader(content), nil }}
}

// written writes a draft and sees to it that its lines are as RFC 5322 2.1.1 and 2.3 want them.
func written(t *testing.T, d *compose.Draft) string {
	t.Helper()
	var b strings.Builder
	if err := compose.Write(&b, d); err != nil {
		t.Fatal(err)
	}
	checkLines(t, b.String())
	return b.String()
}

func checkLines(t *testing.T, raw string) {
	t.Helper()
	for i, line := range strings.Split(raw, "\r\n") {
		if strings.ContainsAny(line, "\r\n\x00") {
			t.Errorf("line %d has a bare CR or LF, or a NUL: %q", i+1, line)
		}
		if len(line) > 998 {
			t.Errorf("line %d has %d bytes: %.60q…", i+1, len(line), line)
		}
	}
}

// parsed reads a message back with our own parser.
func parsed(t *testing.T, raw string) *mail.Parsed {
	t.Helper()
	p, err := parse.Message(strings.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func body(t *testing.T, raw string, p *mail.Part) string {
	t.Helper()
	if p == nil {
		return ""
	}
	s, err := parse.Body(strings.NewReader(raw), p, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// content is an attachment's bytes.
func content(t *testing.T, raw string, a mail.Attachment) string {
	t.Helper()
	b, err := io.ReadAll(parse.Decode(strings.NewReader(raw[a.Body:a.End]), a.Encoding))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestAPlainMessageIsWrittenPlainly(t *testing.T) {
	d := draft()
	d.Cc = []mail.Address{{Name: `The "Best" \ one`, Mailbox: "c", Host: "else.example"}}
	want := strings.ReplaceAll(`Date: Sun, 01 Mar 2026 12:00:00 +0000
From: "Ada" <ada@pod.example>
To: bob@else.example
Cc: "The \"Best\" \\ one" <c@else.example>
Subject: Hello
Message-ID: <1@pod.example>
MIME-Version: 1.0
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: 7bit

Hi Bob
`, "\n", "\r\n")
	if diff := cmp.Diff(want, written(t, d)); diff != "" {
		t.Errorf("message (-want +got):\n%s", diff)
	}
}

func TestNoAddressEndsItsLine(t *testing.T) {
	d := draft()
	d.To = []mail.Address{{Name: "B\r\nBcc: eve", Mailbox: "b\r\nBcc: eve", Host: "else.example\r\n\r\nbody"}}
	if raw := written(t, d); strings.Contains(raw, "\r\nBcc") || strings.Contains(raw, "\r\nbody") {
		t.Errorf("the header is\n%s", raw)
	}
}

func TestOnlyBlindCopiesLeaveNoRecipientInTheHeader(t *testing.T) {
	d := draft()
	d.To = nil
	if raw := written(t, d); !strings.Contains(raw, "\r\nTo: undisclosed-recipients:;\r\n") || strings.Contains(raw, "Bcc") {
		t.Errorf("the header is\n%s", raw)
	}
}

func TestWhatIsWrittenIsReadBack(t *testing.T) {
	long := strings.Repeat("word ", 400)
	endless := strings.Repeat("x", 3000)
	for name, change := range map[string]func(*compose.Draft){
		"plain": func(d *compose.Draft) {},
		"empty": func(d *compose.Draft) { d.Subject, d.Text = "", "" },
		"beyond ASCII": func(d *compose.Draft) {
			d.Subject, d.From.Name, d.Text = "Grüße aus Köln 🙂", "Ådä Lövelace", "schöne Grüße\n"
		},
		"long words":          func(d *compose.Draft) { d.Subject, d.From.Name, d.Text = endless, endless[:900], endless },
		"long lines":          func(d *compose.Draft) { d.Subject, d.Text = strings.TrimSpace(long), long },
		"long beyond ASCII":   func(d *compose.Draft) { d.Subject = strings.Repeat("äöü🙂", 200) },
		"looks encoded":       func(d *compose.Draft) { d.Subject, d.From.Name = "=?utf-8?Q?not?= encoded", "=?utf-8?Q?nor?= I" },
		"spaces":              func(d *compose.Draft) { d.Subject = "a" + strings.Repeat(" ", 1500) + "b  c" },
		"tabs":                func(d *compose.Draft) { d.Text = "a\tb\t\n" },
		"quotes in names":     func(d *compose.Draft) { d.From.Name = `Lovelace, "Ada" \ <x@y.example>` },
		"lines to be mangled": func(d *compose.Draft) { d.Text = "From here on\n.\n..\n--=_seed_1\n--=_seed_1--\ntrailing \n=20\n" },
		"HTML":                func(d *compose.Draft) { d.HTML = "<p>Hi <b>Bob</b> – é</p>" },
		"control characters":  func(d *compose.Draft) { d.Text = "a\x01b\x7f\n" },
		"many recipients": func(d *compose.Draft) {
			for i := range 50 {
				d.To = append(d.To, mail.Address{Name: "Number Ø", Mailbox: fmt.Sprint("n", i), Host: "else.example"})
			}
		},
		"an answer": func(d *compose.Draft) {
			d.InReplyTo, d.References = "<0@x.example>", []string{"<00@x.example>", "<0@x.example>"}
			d.ReplyTo = []mail.Address{{Mailbox: "reply", Host: "pod.example"}}
		},
		"the longest ids": func(d *compose.Draft) {
			id := "<" + strings.Repeat("i", 970) + "@x.test>"
			d.InReplyTo, d.References = id, []string{id, id}
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := draft()
			change(d)
			raw := written(t, d)
			p := parsed(t, raw)
			want := mail.Envelope{Date: "Sun, 01 Mar 2026 12:00:00 +0000", Subject: d.Subject, From: []mail.Address{d.From},
				ReplyTo: d.ReplyTo, To: d.To, Cc: d.Cc, MessageID: d.MessageID, References: d.References}
			if d.InReplyTo != "" {
				want.InReplyTo = []string{d.InReplyTo}
			}
			if diff := cmp.Diff(want, p.Envelope, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("envelope (-want +got):\n%s", diff)
			}
			if got := unix(body(t, raw, p.Text)); got != d.Text {
				t.Errorf("text is %.200q, want %.200q", got, d.Text)
			}
			if got := body(t, raw, p.HTML); got != d.HTML {
				t.Errorf("html is %.200q, want %.200q", got, d.HTML)
			}
			agrees(t, raw, d)
		})
	}
}

// agrees reads a message with the standard library, so that writer and parser cannot be wrong together.
func agrees(t *testing.T, raw string, d *compose.Draft) {
	t.Helper()
	m, err := netmail.ReadMessage(strings.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	subject, err := new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject"))
	if err != nil || subject != strings.TrimSpace(d.Subject) {
		t.Errorf("net/mail reads the subject as %.200q, %v", subject, err)
	}
	to, err := m.Header.AddressList("To")
	if err != nil || len(to) != len(d.To) {
		t.Fatalf("net/mail reads %d recipients, %v", len(to), err)
	}
	for i, a := range to {
		if a.Name != d.To[i].Name || a.Address != d.To[i].Addr() {
			t.Errorf("net/mail reads the recipient as %v", a)
		}
	}
	if strings.HasPrefix(m.Header.Get("Content-Type"), "text/") {
		r := m.Body
		if m.Header.Get("Content-Transfer-Encoding") == "quoted-printable" {
			r = quotedprintable.NewReader(r)
		}
		if b, err := io.ReadAll(r); err != nil || unix(string(b)) != d.Text {
			t.Errorf("net/mail reads the text as %.200q, %v", b, err)
		}
	}
}

func unix(s string) string { return strings.ReplaceAll(s, "\r\n", "\n") }

func TestPartsAreNestedAsReadersExpectThem(t *testing.T) {
	inline := file("logo.png", "image/png", "\x89PNG")
	inline.Disposition, inline.ContentID = "inline", "logo"
	outline := func(p *mail.Part) string {
		var walk func(*mail.Part) string
		walk = func(p *mail.Part) string {
			s := p.Subtype
			for i, c := range p.Children {
				s += string("( "[min(i, 1)]) + walk(c)
			}
			if len(p.Children) > 0 {
				s += ")"
			}
			return s
		}
		return walk(p)
	}
	for _, c := range []struct {
		name  string
		html  string
		files []compose.Attachment
		want  string
	}{
		{"text", "", nil, "plain"},
		{"html", "<p>", nil, "alternative(plain html)"},
		{"text and file", "", []compose.Attachment{file("a.pdf", "application/pdf", "x")}, "mixed(plain pdf)"},
		{"picture", `<img src="cid:logo">`, []compose.Attachment{inline}, "alternative(plain related(html png))"},
		{"picture without html", "", []compose.Attachment{inline}, "mixed(plain png)"},
		{"all", `<img src="cid:logo">`, []compose.Attachment{inline, file("a.pdf", "application/pdf", "x")}, "mixed(alternative(plain related(html png)) pdf)"},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := draft()
			d.HTML, d.Attachments = c.html, c.files
			raw := written(t, d)
			p := parsed(t, raw)
			if got := outline(p.Structure); got != c.want {
				t.Errorf("parts are %s, want %s", got, c.want)
			}
			if got := body(t, raw, p.HTML); got != c.html {
				t.Errorf("html is %q", got)
			}
			if len(p.Attachments) != len(c.files) {
				t.Errorf("%d attachments, want %d", len(p.Attachments), len(c.files))
			}
		})
	}
}

func TestAnHTMLMessageGetsATextToo(t *testing.T) {
	d := draft()
	d.Text, d.HTML = "", "<p>Hi <b>Bob</b></p><p>Bye</p>"
	raw := written(t, d)
	if got := unix(body(t, raw, parsed(t, raw).Text)); got != "Hi Bob\n\nBye" {
		t.Errorf("text is %q", got)
	}
}

func TestFiles(t *testing.T) {
	everyByte := make([]byte, 1000)
	for i := range everyByte {
		everyByte[i] = byte(i)
	}
	for _, c := range []struct{ name, contentType, wantName, wantType string }{
		{"a.pdf", "application/pdf", "a.pdf", "application/pdf"},
		{"", "", "", "application/octet-stream"},
		{"a.bin", "nonsense", "a.bin", "application/octet-stream"},
		{"a.bin", "text", "a.bin", "application/octet-stream"},
		{"a.txt", "text/plain; charset=utf-8; x", "a.txt", "text/plain"},
		{"in.eml", "message/rfc822", "in.eml", "application/octet-stream"},
		{"m", "multipart/mixed; boundary=x", "m", "application/octet-stream"},
		{"x", "text/plain\r\nBcc: eve@else.example", "x", "application/octet-stream"},
		{"with space.txt", "text/plain", "with space.txt", "text/plain"},
		{`quo"ted.txt`, "text/plain", `quo"ted.txt`, "text/plain"},
		{"€ Angebot Größe.txt", "text/plain", "€ Angebot Größe.txt", "text/plain"},
		{strings.Repeat("ä", 500), "text/plain", strings.Repeat("ä", 500), "text/plain"},
		{strings.Repeat("ä", 900), "text/plain", strings.Repeat("ä", 500), "text/plain"},
		{"=?utf-8?Q?x?=.txt", "text/plain", "=?utf-8?Q?x?=.txt", "text/plain"},
		{"../../etc/passwd\r\nBcc: eve@else.example", "text/plain", ".._.._etc_passwd__Bcc: eve@else.example", "text/plain"},
	} {
		t.Run(c.name+" "+c.contentType, func(t *testing.T) {
			d := draft()
			d.Attachments = []compose.Attachment{file(c.name, c.contentType, string(everyByte))}
			raw := written(t, d)
			p := parsed(t, raw)
			if len(p.Attachments) != 1 {
				t.Fatalf("%d attachments", len(p.Attachments))
			}
			a := p.Attachments[0]
			if a.Filename != c.wantName || a.ContentType != c.wantType {
				t.Errorf("name %.80q, type %q; want %.80q, %q", a.Filename, a.ContentType, c.wantName, c.wantType)
			}
			if content(t, raw, a) != string(everyByte) {
				t.Error("its bytes are others")
			}
			if len(p.Envelope.Bcc) > 0 {
				t.Error("a recipient was smuggled in")
			}
		})
	}
}

func TestBoundariesAreNotInWhatTheyBound(t *testing.T) {
	d := draft()
	d.Text = "--=_seed_1\n--=_seed_1--\n"
	d.HTML = "\n--=_seed_2--\n"
	d.Attachments = []compose.Attachment{file("a", "text/plain", "--=_seed_1--\r\n")}
	raw := written(t, d)
	m, err := netmail.ReadMessage(strings.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	_, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil {
		t.Fatal(err)
	}
	r := multipart.NewReader(m.Body, params["boundary"])
	for _, want := range []string{"multipart/alternative", "text/plain"} {
		part, err := r.NextRawPart()
		if err != nil || !strings.HasPrefix(part.Header.Get("Content-Type"), want) {
			t.Fatalf("part: %v, %v; want %s", part, err, want)
		}
	}
	if _, err := r.NextRawPart(); !errors.Is(err, io.EOF) {
		t.Errorf("after the last part: %v", err)
	}
}

func TestAFileThatCannotBeReadFailsTheMessage(t *testing.T) {
	broken := errors.New("disk on fire")
	d := draft()
	d.Attachments = []compose.Attachment{{Open: func() (io.Reader, error) { return nil, broken }}}
	if err := compose.Write(io.Discard, d); !errors.Is(err, broken) {
		t.Errorf("opening: %v", err)
	}
	d.Attachments[0].Open = func() (io.Reader, error) { return io.MultiReader(strings.NewReader("half"), failing{broken}), nil }
	if err := compose.Write(io.Discard, d); !errors.Is(err, broken) {
		t.Errorf("reading: %v", err)
	}
	if err := compose.Write(failing{broken}, draft()); !errors.Is(err, broken) {
		t.Errorf("writing: %v", err)
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error)  { return 0, f.err }
func (f failing) Write([]byte) (int, error) { return 0, f.err }

func TestCheck(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*compose.Draft)
		want   string // beginning of the message; empty: nothing is wrong
	}{
		{"a good one", func(d *compose.Draft) {
			d.Headers = map[string]string{"X-Tag": "a", "List-Unsubscribe": "<https://x.example>"}
		}, ""},
		{"line break in subject", func(d *compose.Draft) { d.Subject = "a\r\nBcc: eve@else.example" }, "subject: "},
		{"long subject", func(d *compose.Draft) { d.Subject = strings.Repeat("a", 5000) }, "subject: "},
		{"structural field", func(d *compose.Draft) { d.Headers = map[string]string{"bCC": "eve@else.example"} }, "headers: bCC is set by the server"},
		{"another author", func(d *compose.Draft) { d.Headers = map[string]string{"from": "ceo@bank.test"} }, "headers: from is set by the server"},
		{"another sender", func(d *compose.Draft) { d.Headers = map[string]string{"SENDER": "ceo@bank.test"} }, "headers: SENDER is set by the server"},
		{"another author with a space", func(d *compose.Draft) { d.Headers = map[string]string{"From ": "ceo@bank.test"} }, "headers: "},
		{"another author on a second line", func(d *compose.Draft) { d.Headers = map[string]string{"X\r\nFrom": "ceo@bank.test"} }, "headers: "},
		{"content field", func(d *compose.Draft) { d.Headers = map[string]string{"Content-Type": "text/html"} }, "headers: "},
		{"bad name", func(d *compose.Draft) { d.Headers = map[string]string{"X Y": "a"} }, "headers: "},
		{"name with colon", func(d *compose.Draft) { d.Headers = map[string]string{"Bcc:x": "a"} }, "headers: "},
		{"line break in value", func(d *compose.Draft) { d.Headers = map[string]string{"X-Tag": "a\nBcc: eve@else.example"} }, "headers: "},
		{"too much", func(d *compose.Draft) {
			d.Headers = map[string]string{"X-A": strings.Repeat("a", 40<<10), "X-B": strings.Repeat("b", 40<<10)}
		}, "headers: "},
		{"bad content id", func(d *compose.Draft) { d.Attachments = []compose.Attachment{{ContentID: "a b"}} }, "attachments.0.content_id: "},
		{"long filename", func(d *compose.Draft) { d.Attachments = []compose.Attachment{{Filename: strings.Repeat("n", 2000)}} }, "attachments.0.filename: "},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := draft()
			c.change(d)
			err := compose.Check(d)
			if c.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if e, ok := errors.AsType[*mail.Error](err); !ok || e.Code != mail.CodeInvalid || !strings.HasPrefix(e.Message, c.want) {
				t.Errorf("error is %v, want one that begins %q", err, c.want)
			}
		})
	}
}

// FuzzWrite: whatever callers hand in, the message keeps to the format, its fields are those of the draft, and the texts
// come back.
func FuzzWrite(f *testing.F) {
	f.Add("Hello", "Ada", "text", "<p>", "a.txt", "X-Tag", "value", "content")
	f.Add("a\r\nBcc: eve@x.example", "b\r\n\r\nbody", "\r.\r\n", "\n--=_seed_1--", "\r\n\r\n", "X", "\r\nBcc: x", "\r\n--=_seed_1--\r\n")
	f.Add(strings.Repeat(" ", 2000), strings.Repeat("é", 600), strings.Repeat("=", 2000), "\xff\xfe", strings.Repeat("ä", 700), "A", strings.Repeat("x ", 900), "")
	field := regexp.MustCompile(`(?m)^([^ \t\r\n:]+):`)
	f.Fuzz(func(t *testing.T, subject, name, text, html, filename, key, value, bytesOf string) {
		d := draft()
		d.Subject, d.From.Name, d.Text, d.HTML = subject, name, text, html
		d.Headers = map[string]string{"X-Tag": value}
		if compose.Check(&compose.Draft{Headers: map[string]string{key: "x"}}) == nil {
			d.Headers[key] = value
		}
		d.Attachments = []compose.Attachment{file(filename, "text/plain", bytesOf)}
		if compose.Check(d) != nil && len(value) > 10_000 {
			t.Skip() // nobody writes it unchecked
		}
		var b bytes.Buffer
		if err := compose.Write(&b, d); err != nil {
			t.Fatal(err)
		}
		raw := b.String()
		checkLines(t, raw)
		p := parsed(t, raw)
		allowed := map[string]bool{"Date": true, "From": true, "To": true, "Subject": true, "Message-ID": true, "MIME-Version": true, "Content-Type": true}
		for name := range d.Headers {
			allowed[name] = true
		}
		header, _, _ := strings.Cut(raw, "\r\n\r\n")
		for _, m := range field.FindAllStringSubmatch(header, -1) {
			if !allowed[m[1]] {
				t.Errorf("the header has %q:\n%s", m[1], header)
			}
		}
		if len(p.Attachments) != 1 {
			t.Fatalf("%d attachments", len(p.Attachments))
		}
		if got := content(t, raw, p.Attachments[0]); got != bytesOf {
			t.Errorf("the file is %q, want %q", got, bytesOf)
		}
		if text != "" {
			want := strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(strings.ToValidUTF8(text, "\uFFFD"))
			if got := unix(body(t, raw, p.Text)); got != want && len(want) < 1<<19 {
				t.Errorf("text is %q, want %q", got, want)
			}
		}
	})
}
