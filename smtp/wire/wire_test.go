package wire

import (
	"bufio"
	"errors"
	"io"
	"net/netip"
	"strings"
	"testing"
	"testing/iotest"
)

func TestLines(t *testing.T) {
	for _, c := range []struct {
		in, want string
		err      error
	}{
		{"NOOP\r\nx", "NOOP", nil},
		{"\r\n", "", nil},
		{strings.Repeat("x", 98) + "\r\n", strings.Repeat("x", 98), nil},
		{strings.Repeat("x", 99) + "\r\n", "", ErrLongLine},
		{strings.Repeat("x", 10_000), "", ErrLongLine},
		{"NOOP\n", "", ErrBareLineBreak},
		{"NO\rOP\r\n", "", ErrBareLineBreak},
		{"NOOP\r\r\n", "", ErrBareLineBreak},
		{"NOOP", "", io.ErrUnexpectedEOF},
		{"", "", io.EOF},
	} {
		for name, r := range map[string]io.Reader{"whole": strings.NewReader(c.in), "by bytes": iotest.OneByteReader(strings.NewReader(c.in))} {
			got, err := ReadLine(bufio.NewReaderSize(r, 32), 100)
			if got != c.want || !errors.Is(err, c.err) {
				t.Errorf("%.20q %s: %q, %v", c.in, name, got, err)
			}
		}
	}
}

func TestBodiesEndAtTheirEndOnly(t *testing.T) {
	for _, c := range []struct{ in, want, rest string }{
		{".\r\nQUIT", ".\r\n", "QUIT"},
		{"a\r\n.\r\nQUIT", "a\r\n.\r\n", "QUIT"},
		{"a\r\n..\r\n...b\r\n.c\r\n.\r\nQUIT", "a\r\n..\r\n...b\r\n.c\r\n.\r\n", "QUIT"},
		{"a\n.\r\nb\r\n.\r\nQUIT", "a\n.\r\nb\r\n.\r\n", "QUIT"},
		{"a\r\n.\nb\r\n.\r\nQUIT", "a\r\n.\nb\r\n.\r\n", "QUIT"},
		{"a\r.\r\nb\r\n.\r\nQUIT", "a\n.\r\nb\r\n.\r\n", "QUIT"},
		{"a\r\n.\r.\r\n.\r\nQUIT", "a\r\n.\n.\r\n.\r\n", "QUIT"},
		{"a\r\r\n.\r\nQUIT", "a\n\r\n.\r\n", "QUIT"},
		{"\n.\r\n.\r\nQUIT", "\n.\r\n.\r\n", "QUIT"},
		{strings.Repeat("x", 40) + "\r\n.\r\nQUIT", strings.Repeat("x", 40) + "\r\n.\r\n", "QUIT"},
		{strings.Repeat("x", 31) + "\r\n.\r\nQUIT", strings.Repeat("x", 31) + "\r\n.\r\n", "QUIT"}, // CRLF over the buffer's border
		{strings.Repeat("x", 31) + "\rb\r\n.\r\nQUIT", strings.Repeat("x", 31) + "\nb\r\n.\r\n", "QUIT"},
		{strings.Repeat("x", 32) + "\n.\r\nb\r\n.\r\nQUIT", strings.Repeat("x", 32) + "\n.\r\nb\r\n.\r\n", "QUIT"},
	} {
		for name, in := range map[string]io.Reader{"whole": strings.NewReader(c.in), "by bytes": iotest.OneByteReader(strings.NewReader(c.in))} {
			r := bufio.NewReaderSize(in, 32)
			got, err := io.ReadAll(NewData(r))
			rest, _ := io.ReadAll(r)
			if string(got) != c.want || err != nil || string(rest) != c.rest {
				t.Errorf("%q %s: %q, then %q, %v", c.in, name, got, rest, err)
			}
		}
	}
	for _, cut := range []string{"", "a", "a\r\n", "a\r\n.", "a\r\n.\r"} {
		if _, err := io.ReadAll(NewData(bufio.NewReader(strings.NewReader(cut)))); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%q: %v", cut, err)
		}
	}
}

func TestPaths(t *testing.T) {
	for in, want := range map[string]string{
		"<>":                          "",
		"<a@b.example>":               "a@b.example",
		" <a@b.example> SIZE=1":       "a@b.example",
		"<@x.example,@y.example:a@b>": "a@b",
		`<"a b"@c.example>`:           `"a b"@c.example`,
		`<"ab"@c.example>`:            "ab@c.example",
		`<"a\"b"@c.example>`:          `"a\"b"@c.example`,
		"<a@[192.0.2.1]>":             "a@[192.0.2.1]",
		"<a@[IPv6:2001:db8::1]>":      "a@[IPv6:2001:db8::1]",
		"<jürgen@bücher.example>":     "jürgen@bücher.example",
		"<PostMaster>":                "PostMaster",
		"<a+b=c.d@e_f.example>":       "a+b=c.d@e_f.example",
		"<a..b.@c.example>":           "a..b.@c.example",
		"a@b.example":                 "a@b.example",
		"a@b.example SIZE=1":          "a@b.example",
		"a@b.example>":                "!", "a": "!", "SIZE=1": "!", "a b@c": "!", "<a@b.example": "!", "<a@b@c>": "!", "<a b@c>": "!", "<@b>": "!", "<a@>": "!", "<a>": "!", "<a@b.>": "!",
		"<a@[192.0.2]>": "!", "<a@b>x": "!", "<a@b> SIZE=1 SIZE=2": "!", "<a@b> =": "!", "<\"a@b>": "!", "<a\x00@b>": "!", "<a\xff@b>": "!",
		"<" + strings.Repeat("a", 257) + "@b>": "!", "<>x": "!", "": "!", "<": "!", "<@x:": "!",
	} {
		got, _, err := ParsePath(in)
		if err != nil {
			got = "!"
		}
		if got != want {
			t.Errorf("%q: %q (%v), want %q", in, got, err, want)
		}
	}
	_, ps, err := ParsePath("<a@b> size=10 BODY=8bitmime SMTPUTF8 AUTH=<>")
	if err != nil || len(ps) != 4 || ps[0] != (Parameter{"SIZE", "10"}) || ps[2] != (Parameter{"SMTPUTF8", ""}) || ps[3].Value != "<>" {
		t.Errorf("%v %v", ps, err)
	}
}

func TestXtext(t *testing.T) {
	for in, want := range map[string]string{"abc": "abc", "a+2Bb+3D": "a+b=", "+": "!", "+2": "!", "+2b": "!", "+GG": "!", "a b": "!", "a=b": "!"} {
		got, err := DecodeXtext(in)
		if err != nil {
			got = "!"
		}
		if got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

const v2 = "\r\n\r\n\x00\r\nQUIT\n"

func TestProxyHeaders(t *testing.T) {
	for in, want := range map[string]string{
		"PROXY TCP4 192.0.2.1 198.51.100.1 56324 25\r\n":  "192.0.2.1:56324",
		"PROXY TCP6 2001:db8::1 2001:db8::2 56324 25\r\n": "[2001:db8::1]:56324",
		"PROXY UNKNOWN\r\n":                                      "invalid AddrPort",
		"PROXY UNKNOWN ffff:: ffff:: 1 2\r\n":                    "invalid AddrPort",
		v2 + "\x21\x11\x00\x0c\xc0\x00\x02\x01AAAA\xdc\x04BB":    "192.0.2.1:56324",
		v2 + "\x21\x11\x00\x0f\xc0\x00\x02\x01AAAA\xdc\x04BBtlv": "192.0.2.1:56324",
		v2 + "\x20\x00\x00\x00":                                  "invalid AddrPort",
		v2 + "\x21\x21\x00\x24\x20\x01\x0d\xb8" + strings.Repeat("\x00", 11) + "\x01" + strings.Repeat("B", 16) + "\xdc\x04CC": "[2001:db8::1]:56324",
		"PROXY TCP4 2001:db8::1 ::1 56324 25\r\n": "!", "PROXY TCP4 192.0.2.1\r\n": "!", "EHLO mail.example.org\r\n": "!",
		"PROXY TCP4 " + strings.Repeat("1", 100) + "\r\n": "!", v2 + "\x11\x11\x00\x0c": "!", v2 + "\x21\x11\xff\xff": "!",
		v2 + "\x21\x11\x00\x04\x01\x02\x03\x04": "!", v2 + "\x21\x11\x00\x0c\x01": "!", "PROXY": "!", "": "!",
	} {
		r := strings.NewReader(in + "EHLO x\r\n")
		if want == "!" {
			r = strings.NewReader(in)
		}
		got, err := ReadProxyHeader(r)
		text := got.String()
		if err != nil {
			text = "!"
		}
		if rest, _ := io.ReadAll(r); text != want || want != "!" && string(rest) != "EHLO x\r\n" {
			t.Errorf("%q: %s (%v), want %s; then %q", in, text, err, want, rest)
		}
	}
}

func TestRepliesStayInTheirLines(t *testing.T) {
	var b strings.Builder
	w := bufio.NewWriter(&b)
	r := Reply{550, "5.1.1", []string{"no\r\n250 OK", "jürgen", strings.Repeat("x", 600)}}
	if err := errors.Join(r.WriteTo(w), w.Flush()); err != nil {
		t.Fatal(err)
	}
	if want := "550-5.1.1 no??250 OK\r\n550-5.1.1 j?rgen\r\n550 5.1.1 " + strings.Repeat("x", 490) + "\r\n"; b.String() != want {
		t.Errorf("%q", b.String())
	}
}

// FuzzPath wants that what is taken for an address can be written into a command again and is the same then.
func FuzzPath(f *testing.F) {
	for _, s := range []string{"<>", "<a@b>", `<"a b"@c> SIZE=1 BODY=8BITMIME`, "<@x:a@b>", `<"\""@[IPv6:::1]> ORCPT=rfc822;a+2Bb`, "<jürgen@bücher.example> SMTPUTF8"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		address, ps, err := ParsePath(s)
		if err != nil {
			return
		}
		again, _, err := ParsePath("<" + address + ">")
		if err != nil || again != address || strings.ContainsAny(address, "\r\n\x00") {
			t.Errorf("%q is %q, and that %q: %v", s, address, again, err)
		}
		for _, p := range ps {
			DecodeXtext(p.Value)
		}
	})
}

// FuzzData wants that a body ends at the first CRLF dot CRLF, whatever the reads, and that bare CR is all that is changed.
func FuzzData(f *testing.F) {
	f.Add("a\r\n..b\r\n.\r\n", 1)
	f.Add("\n.\r\n\r.\r\r\n.\r\n", 7)
	f.Fuzz(func(t *testing.T, s string, size int) {
		in := "\r\n" + s
		end := strings.Index(in, "\r\n.\r\n")
		got, err := io.ReadAll(NewData(bufio.NewReaderSize(iotest.HalfReader(strings.NewReader(s)), max(16, min(size, 1<<16)))))
		if (err == nil) != (end >= 0) {
			t.Fatalf("%q: %v, ends at %d", s, err, end)
		}
		if end < 0 {
			return
		}
		const crlf = "\x00CRLF\x00"
		want := strings.ReplaceAll(in[2:end+5], "\r\n", crlf)
		want = strings.ReplaceAll(strings.ReplaceAll(want, "\r", "\n"), crlf, "\r\n")
		if string(got) != want {
			t.Errorf("%q: %q, want %q", s, got, want)
		}
	})
}

// FuzzProxyHeader wants an address or an error, and no more than the bound read.
func FuzzProxyHeader(f *testing.F) {
	f.Add("PROXY TCP4 192.0.2.1 198.51.100.1 56324 25\r\n")
	f.Add(v2 + "\x21\x11\x00\x0c\xc0\x00\x02\x01AAAA\xdc\x04BB")
	f.Fuzz(func(t *testing.T, s string) {
		r := strings.NewReader(s + strings.Repeat("x", maxProxyData))
		a, err := ReadProxyHeader(r)
		if err != nil && a != (netip.AddrPort{}) {
			t.Errorf("%q: %v and %v", s, a, err)
		}
		if read := len(s) + maxProxyData - r.Len(); read > maxProxyData+16 {
			t.Errorf("%d bytes were read", read)
		}
	})
}
