package parse

import (
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"podmail/mail"
)

// crlf writes a message with CRLF line ends.
func crlf(s string) string { return strings.ReplaceAll(s, "\n", "\r\n") }

// outline renders a structure with the text of every leaf, so that offsets are tested by what they cut out.
func outline(raw string, p *mail.Part, depth int) string {
	pad := strings.Repeat("  ", depth)
	s := fmt.Sprintf("%s%s", pad, p.MediaType())
	if len(p.Children) == 0 {
		s += fmt.Sprintf(" %q", raw[p.Body:p.End])
	}
	if p.Lines > 0 {
		s += fmt.Sprintf(" lines=%d", p.Lines)
	}
	s += "\n"
	for _, c := range p.Children {
		s += outline(raw, c, depth+1)
	}
	return s
}

func TestStructure(t *testing.T) {
	for _, c := range []struct{ name, raw, want string }{
		{"plain", "Subject: x\n\nhello\nworld\n", "text/plain \"hello\\r\\nworld\\r\\n\" lines=2\n"},
		{"no body", "Subject: x\n", "text/plain \"\"\n"},
		{"empty", "", "text/plain \"\"\n"},
		{"no header", "hello there\nworld\n", "text/plain \"hello there\\r\\nworld\\r\\n\" lines=2\n"},
		{"no final line break", "Subject: x\n\nhello", "text/plain \"hello\" lines=1\n"},
		{"mbox line", "From joe Fri Jan  2\nSubject: x\n\nhello\n", "text/plain \"hello\\r\\n\" lines=1\n"},
		{"mixed", "Content-Type: multipart/mixed; boundary=b\n\npreamble\n--b\n\none\n--b\nContent-Type: text/html\n\n<p>\n\n--b--\nepilogue\n",
			"multipart/mixed\n  text/plain \"one\" lines=1\n  text/html \"<p>\\r\\n\" lines=1\n"},
		{"nested", "Content-Type: multipart/mixed; boundary=a\n\n--a\nContent-Type: multipart/alternative; boundary=ab\n\n--ab\n\ntext\n--ab\nContent-Type: text/html\n\nhtml\n--ab--\n--a\nContent-Type: image/png\n\nPNG\n--a--\n",
			"multipart/mixed\n  multipart/alternative\n    text/plain \"text\" lines=1\n    text/html \"html\" lines=1\n  image/png \"PNG\"\n"},
		{"unterminated inner", "Content-Type: multipart/mixed; boundary=a\n\n--a\nContent-Type: multipart/alternative; boundary=i\n\n--i\n\ntext\n--a\n\nlast\n--a--\n",
			"multipart/mixed\n  multipart/alternative\n    text/plain \"text\" lines=1\n  text/plain \"last\" lines=1\n"},
		{"unterminated", "Content-Type: multipart/mixed; boundary=a\n\n--a\n\ntext\n", "multipart/mixed\n  text/plain \"text\\r\\n\" lines=1\n"},
		{"boundary missing", "Content-Type: multipart/mixed\n\n--a\n\ntext\n", "text/plain \"--a\\r\\n\\r\\ntext\\r\\n\" lines=3\n"},
		{"boundary never comes", "Content-Type: multipart/mixed; boundary=zzz\n\ntext\n", "multipart/mixed \"text\\r\\n\"\n"},
		{"part without empty line", "Content-Type: multipart/mixed; boundary=a\n\n--a\nContent-Type: text/html\n--a--\n", "multipart/mixed\n  text/html \"\"\n"},
		{"digest", "Content-Type: multipart/digest; boundary=a\n\n--a\n\nSubject: inner\n\nhello\n--a--\n",
			"multipart/digest\n  message/rfc822 lines=3\n    text/plain \"hello\" lines=1\n"},
		{"message within", "Content-Type: message/rfc822\n\nSubject: inner\nContent-Type: multipart/mixed; boundary=q\n\n--q\n\nx\n--q--\n",
			"message/rfc822 lines=7\n  multipart/mixed\n    text/plain \"x\" lines=1\n"},
		{"bad content type", "Content-Type: nonsense\n\nx\n", "text/plain \"x\\r\\n\" lines=1\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			raw := crlf(c.raw)
			p, err := Message(strings.NewReader(raw))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, outline(raw, p.Structure, 0)); diff != "" {
				t.Errorf("structure (-want +got):\n%s", diff)
			}
		})
	}
}

func TestEnvelope(t *testing.T) {
	raw := crlf("From: =?iso-8859-1?Q?J=F6rg?= <joerg@EXAMPLE.org>\nFrom: second@example.org\nTo: Doe, John <john@x.org>, \"Smith, J\" <j@x.org>,\n bare@x.org\n" +
		"Cc: friends: a@x.org, B <b@x.org>;\nBcc: c@x.org\nbcc : <d@x.org> <e@x.org>\nSubject: =?UTF-8?B?w6RiYw==?=\n =?UTF-8?Q?_d?=\nMessage-ID: <1@x>\nIn-Reply-To: <0@x>\nReferences: <a@x>\n <b@x> junk <0@x>\nDate: Fri, 2 Jan 2026 03:04:05 +0100\n\nx\n")
	p, err := Message(strings.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	want := mail.Envelope{Date: "Fri, 2 Jan 2026 03:04:05 +0100", Subject: "äbc d", MessageID: "<1@x>", InReplyTo: []string{"<0@x>"},
		References: []string{"<a@x>", "<b@x>", "<0@x>"},
		From:       []mail.Address{{Name: "Jörg", Mailbox: "joerg", Host: "example.org"}, {Mailbox: "second", Host: "example.org"}},
		To:         []mail.Address{{Name: "Doe, John", Mailbox: "john", Host: "x.org"}, {Name: "Smith, J", Mailbox: "j", Host: "x.org"}, {Mailbox: "bare", Host: "x.org"}},
		Cc:         []mail.Address{{Mailbox: "friends"}, {Mailbox: "a", Host: "x.org"}, {Name: "B", Mailbox: "b", Host: "x.org"}, {}},
		Bcc:        []mail.Address{{Mailbox: "c", Host: "x.org"}, {Mailbox: "d", Host: "x.org"}, {Mailbox: "e", Host: "x.org"}}}
	if diff := cmp.Diff(want, p.Envelope); diff != "" {
		t.Errorf("envelope (-want +got):\n%s", diff)
	}
}

func TestTwoAddressesRunTogetherAreTwo(t *testing.T) {
	for value, want := range map[string]string{
		"<ceo@bank.test> <alice@a.test>":             "ceo@bank.test alice@a.test",
		"Ceo <ceo@bank.test <alice@a.test>":          "ceo@bank.test alice@a.test",
		"<ceo@bank.test>, Alice <alice@a.test>":      "ceo@bank.test alice@a.test",
		"\"Ceo <ceo@bank.test>\" <alice@a.test>":     "alice@a.test",
		"Ceo (<ceo@bank.test>) <alice@a.test>":       "alice@a.test",
		"ceo@bank.test <alice@a.test>":               "alice@a.test",
		"Alice <Al> of A <alice@a.test>, <b@a.test>": "alice@a.test b@a.test",
	} {
		var got []string
		for _, a := range Addresses(value) {
			got = append(got, a.Addr())
		}
		if text := strings.Join(got, " "); text != want {
			t.Errorf("%s is %s, want %s", value, text, want)
		}
	}
}

func TestRepeated(t *testing.T) {
	for header, want := range map[string]string{
		"From: a\nTo: b\nCc: c\nReceived: 1\nReceived: 2\nBcc: d\nBcc: e\nX-From: f\n": "",
		"From: a\nTo: b\nfROM: c\n":              "fROM",
		"Subject: a\nX: b\n  Subject: c\n":       "",
		"Subject: a\nX: b\nSubject\t : c\n\n":    "Subject",
		"Message-ID: <1@x>\nmessage-id: <2@x>\n": "message-id",
	} {
		if got := Repeated([]byte(crlf(header))); got != want {
			t.Errorf("%q: %q, want %q", header, got, want)
		}
	}
}

func TestAttachmentsAndBodies(t *testing.T) {
	raw := crlf("Message-ID: <1@x>\nContent-Type: multipart/mixed; boundary=m\n\n--m\nContent-Type: multipart/related; boundary=r\n\n--r\nContent-Type: text/html; charset=windows-1252\nContent-Transfer-Encoding: quoted-printable\n\n<p>Gr=FC=DFe=\n!</p>\n--r\n" +
		"Content-Type: image/png; name=\"a.png\"\nContent-ID: <pic@x>\nContent-Disposition: inline\nContent-Transfer-Encoding: base64\n\naGVsbG8=\nd29ybGQ=\n--r--\n--m\n" +
		"Content-Type: application/pdf\nContent-Disposition: attachment; filename*0*=utf-8''%e2%82%ac; filename*1=\" rates.pdf\"\nContent-Transfer-Encoding: base64\n\nAAEC\n--m\nContent-Type: text/plain; name==?utf-8?Q?n=C3=B6tes.txt?=\n\nnotes\n--m--\n")
	p, err := Message(strings.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	if p.Text != nil || p.HTML == nil {
		t.Fatalf("text %v, html %v", p.Text, p.HTML)
	}
	html, err := Body(strings.NewReader(raw), p.HTML, 1000)
	if err != nil || html != "<p>Grüße!</p>" {
		t.Errorf("html %q, %v", html, err)
	}
	if p.Preview != "Grüße!" {
		t.Errorf("preview %q", p.Preview)
	}
	var got []string
	for _, a := range p.Attachments {
		b, err := io.ReadAll(Decode(strings.NewReader(raw[a.Body:a.End]), a.Encoding))
		if err != nil || int64(len(b)) != a.Size {
			t.Errorf("%s decodes to %d bytes, not %d: %v", a.Filename, len(b), a.Size, err)
		}
		got = append(got, fmt.Sprintf("%s|%s|%s|%s|%q", a.Filename, a.ContentType, a.Disposition, a.ContentID, b))
	}
	want := []string{`a.png|image/png|inline|pic@x|"helloworld"`, `€ rates.pdf|application/pdf|attachment||"\x00\x01\x02"`, `nötes.txt|text/plain|attachment||"notes"`}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("attachments (-want +got):\n%s", diff)
	}
	again, err := Message(strings.NewReader(raw))
	if err != nil || cmp.Diff(p.Attachments, again.Attachments) != "" {
		t.Errorf("ids are not stable: %v", err)
	}
}

func TestBoundsHold(t *testing.T) {
	many := "Content-Type: multipart/mixed; boundary=b\n\n" + strings.Repeat("--b\n\nx\n", 3000) + "--b--\n"
	deep := ""
	for i := range 300 {
		deep += fmt.Sprintf("Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n", i, i)
	}
	for name, raw := range map[string]string{"3000 parts": many, "300 deep": deep, "long header": "X: " + strings.Repeat("y", 1<<20) + "\nSubject: kept\n\nbody\n",
		"many references": "References: " + strings.Repeat("<a@b> ", 5000) + "\n\nx"} {
		p, err := Message(strings.NewReader(crlf(raw)))
		if err != nil || p.Size != int64(len(crlf(raw))) {
			t.Errorf("%s: %v", name, err)
		}
		if n := count(p.Structure); n > maxParts+maxDepth+1 {
			t.Errorf("%s: %d parts", name, n)
		}
	}
}

func count(p *mail.Part) int {
	n := 1
	for _, c := range p.Children {
		n += count(c)
	}
	return n
}

// repeat is an endless supply of a text.
type repeat struct {
	s string
	i int
}

func (r *repeat) Read(p []byte) (int, error) {
	n := copy(p, r.s[r.i:])
	r.i = (r.i + n) % len(r.s)
	return n, nil
}

func TestALargeMessageIsNotHeld(t *testing.T) {
	const size = 50 << 20
	for name, r := range map[string]io.Reader{
		"lines":    io.MultiReader(strings.NewReader("Content-Transfer-Encoding: base64\r\n\r\n"), io.LimitReader(&repeat{s: strings.Repeat("QUJD", 19) + "\r\n"}, size)),
		"one line": io.MultiReader(strings.NewReader("Subject: x\r\n\r\n"), io.LimitReader(&repeat{s: "x"}, size)),
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if _, err := Message(r); err != nil {
			t.Fatal(err)
		}
		runtime.ReadMemStats(&after)
		if grown := after.TotalAlloc - before.TotalAlloc; grown > 4<<20 {
			t.Errorf("%s: %d bytes were allocated", name, grown)
		}
	}
}

func TestAddress(t *testing.T) {
	for _, c := range []struct {
		in   string
		want mail.Address
		ok   bool
	}{
		{"a@b.org", mail.Address{Mailbox: "a", Host: "b.org"}, true},
		{"Name <a@B.org>", mail.Address{Name: "Name", Mailbox: "a", Host: "b.org"}, true},
		{`"Doe, J" <a+x@b.org>`, mail.Address{Name: "Doe, J", Mailbox: "a+x", Host: "b.org"}, true},
		{"jörg@müller.de", mail.Address{Mailbox: "jörg", Host: "müller.de"}, true},
		{"a@[127.0.0.1]", mail.Address{Mailbox: "a", Host: "[127.0.0.1]"}, true},
		{"a", mail.Address{}, false}, {"", mail.Address{}, false}, {"@b", mail.Address{}, false}, {"a@", mail.Address{}, false},
		{"a b@c.org", mail.Address{}, false}, {"a@b..org", mail.Address{}, false}, {".a@b.org", mail.Address{}, false},
		{"a@b.org\r\nBcc: x@y", mail.Address{}, false}, {"Name <a@b.org> x", mail.Address{}, false}, {"a@b.org, c@d.org", mail.Address{}, false},
		{"N\r\nX: y <a@b.org>", mail.Address{}, false},
	} {
		got, err := Address(c.in)
		if (err == nil) != c.ok || got != c.want {
			t.Errorf("%q: %+v, %v", c.in, got, err)
		}
	}
}

func TestMessageIDs(t *testing.T) {
	for in, want := range map[string]string{
		"<a@b>": "[<a@b>]", "<a@b><c@d>": "[<a@b> <c@d>]", "junk <a@b> (comment) <c@d": "[<a@b>]", "<a b@c>": "[]", "<<a@b>": "[<a@b>]", "": "[]",
		"<" + strings.Repeat("x", 2000) + "@y>": "[]",
	} {
		if got := fmt.Sprint(MessageIDs(in)); got != want {
			t.Errorf("%q: %s, want %s", in, got, want)
		}
	}
}

func FuzzMessage(f *testing.F) {
	f.Add("Subject: x\r\n\r\nhello\r\n")
	f.Add("Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\nContent-Type: message/rfc822\r\n\r\nFrom: \"x\" <a@b>\r\n\r\n--a\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n=41=\r\n=4\r\n--a--\r\n")
	f.Add("Content-Disposition: attachment; filename*0*=utf-8''%4; filename*1=b\r\nReferences: <a<b>>\r\n\r\n")
	f.Fuzz(func(t *testing.T, raw string) {
		p, err := Message(strings.NewReader(raw))
		if err != nil {
			t.Fatal(err)
		}
		if p.Size != int64(len(raw)) {
			t.Fatalf("size %d of %d", p.Size, len(raw))
		}
		within(t, p.Structure, 0, p.Size)
		for _, a := range p.Attachments {
			b, err := io.ReadAll(Decode(strings.NewReader(raw[a.Body:a.End]), a.Encoding))
			if err != nil || int64(len(b)) != a.Size {
				t.Fatalf("an attachment of %d bytes decodes to %d: %v", a.Size, len(b), err)
			}
		}
		for _, part := range []*mail.Part{p.Text, p.HTML} {
			if part != nil {
				if _, err := Body(strings.NewReader(raw), part, 1<<20); err != nil {
					t.Fatal(err)
				}
			}
		}
		again, err := Message(strings.NewReader(raw))
		if err != nil || cmp.Diff(p, again) != "" {
			t.Fatal("parsing is not deterministic")
		}
	})
}

// within checks that a part and those below it lie in order within their bounds.
func within(t *testing.T, p *mail.Part, from, to int64) {
	t.Helper()
	if p.Header < from || p.Body < p.Header || p.End < p.Body || p.End > to {
		t.Fatalf("part %s at %d %d %d is not within %d and %d", p.MediaType(), p.Header, p.Body, p.End, from, to)
	}
	at := p.Body
	for _, c := range p.Children {
		within(t, c, at, p.End)
		at = c.End
	}
}
