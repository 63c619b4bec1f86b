package compose_test

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"podmail/mail"
	"podmail/mail/compose"
)

func TestSubjectsOfAnswers(t *testing.T) {
	for _, c := range []struct{ subject, reply, forward string }{
		{"Hello", "Re: Hello", "Fwd: Hello"},
		{"", "Re: ", "Fwd: "},
		{"Re: Hello", "Re: Hello", "Fwd: Re: Hello"},
		{"RE: Hello", "RE: Hello", "Fwd: RE: Hello"},
		{"Fwd: Hello", "Re: Fwd: Hello", "Fwd: Hello"},
		{"FW: Hello", "Re: FW: Hello", "FW: Hello"},
		{"Regarding", "Re: Regarding", "Fwd: Regarding"},
	} {
		if got := compose.ReplySubject(c.subject); got != c.reply {
			t.Errorf("reply to %q: %q, want %q", c.subject, got, c.reply)
		}
		if got := compose.ForwardSubject(c.subject); got != c.forward {
			t.Errorf("forward of %q: %q, want %q", c.subject, got, c.forward)
		}
	}
}

func TestReplyReferences(t *testing.T) {
	var many []string
	for i := range 60 {
		many = append(many, fmt.Sprintf("<%d@x>", i))
	}
	for _, c := range []struct {
		name   string
		parent mail.Envelope
		want   []string
	}{
		{"first of all", mail.Envelope{}, []string{"<p@x>"}},
		{"references", mail.Envelope{References: []string{"<a@x>", "<b@x>"}, InReplyTo: []string{"<b@x>"}}, []string{"<a@x>", "<b@x>", "<p@x>"}},
		{"only In-Reply-To", mail.Envelope{InReplyTo: []string{"<a@x>"}}, []string{"<a@x>", "<p@x>"}},
		{"several In-Reply-To say nothing", mail.Envelope{InReplyTo: []string{"<a@x>", "<b@x>"}}, []string{"<p@x>"}},
		{"names itself", mail.Envelope{References: []string{"<p@x>", "<a@x>"}}, []string{"<a@x>", "<p@x>"}},
		{"long", mail.Envelope{References: many}, append(append([]string{"<0@x>"}, many[41:]...), "<p@x>")},
	} {
		before := slices.Clone(c.parent.References)
		if got := compose.ReplyReferences(&c.parent, "<p@x>"); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
		if !slices.Equal(before, c.parent.References) {
			t.Errorf("%s: the parent's references changed", c.name)
		}
	}
}

func TestForwardBodyEscapes(t *testing.T) {
	e := &mail.Envelope{Date: "today", Subject: "<script>", From: []mail.Address{{Name: "Eve <b>", Mailbox: "eve", Host: "x.example"}},
		To: []mail.Address{{Mailbox: "ada", Host: "y.example"}}}
	text, html := compose.ForwardBody(e, "a < b\nc", "")
	if want := "From: Eve <b> <eve@x.example>\nDate: today\nSubject: <script>\nTo: ada@y.example\n\na < b\nc"; !strings.HasSuffix(text, want) {
		t.Errorf("text is %q", text)
	}
	if strings.Contains(html, "<script>") || strings.Contains(html, "<b>") || !strings.Contains(html, "a &lt; b<br>c") {
		t.Errorf("html is %q", html)
	}
}

func TestReceived(t *testing.T) {
	full := compose.Hop{HELO: "mx.else.example", Remote: netip.MustParseAddr("192.0.2.1"), By: "pod.example", Protocol: "ESMTPS",
		TLS: "TLS1.3 TLS_AES_128_GCM_SHA256", ID: "abc", For: "ada@pod.example", Time: noon}
	hostile := compose.Hop{HELO: "a\r\nBcc: x (c) <d>;" + strings.Repeat("h", 1000), Remote: netip.MustParseAddr("2001:db8::1%eth0"), By: "pod.example",
		Protocol: "SMTP", TLS: "1.3)\r\n(", ID: "a b\r\n", For: "x>\r\nBcc: y", Time: noon}
	for _, c := range []struct {
		name string
		hop  compose.Hop
		want string
	}{
		{"full", full, "Received: from mx.else.example ([192.0.2.1])\r\n\tby pod.example with ESMTPS (TLS1.3 TLS_AES_128_GCM_SHA256)\r\n\tid abc\r\n\tfor <ada@pod.example>; Sun, 01 Mar 2026 12:00:00 +0000\r\n"},
		{"empty", compose.Hop{Time: noon}, "Received: by localhost with SMTP\r\n\tid none; Sun, 01 Mar 2026 12:00:00 +0000\r\n"},
		{"hostile", hostile, "Received: from aBcc:xcd" + strings.Repeat("h", 247) + " ([IPv6:2001:db8::1])\r\n\tby pod.example with SMTP (1.3)\r\n\tid ab\r\n\tfor <xBcc:y>; Sun, 01 Mar 2026 12:00:00 +0000\r\n"},
	} {
		if got := compose.Received(c.hop); got != c.want {
			t.Errorf("%s:\n%q, want\n%q", c.name, got, c.want)
		}
	}
	for address, want := range map[string]string{
		"":                           "",
		"joe@else.example":           "joe@else.example",
		"jörg@bücher.example":        "jörg@bücher.example",
		"postmaster":                 "postmaster",
		"a..b@else.example":          "a..b@else.example",
		`"a b"@else.example`:         `"a b"@else.example`,
		`"a\"b\\<c>;@"@else.example`: `"a\"b\\<c>;@"@else.example`,
		`"joe"@else.example`:         "joe@else.example",
		`a b@else.example`:           `"a b"@else.example`,
		`"@else.example`:             `"\""@else.example`,
		`a>"b@else.example`:          `"a>\"b"@else.example`,
		"a\r\nb@else.example":        "ab@else.example",
		"a@b>\r\nBcc: x":             "a@bBcc:x",
		"joe@[IPv6:2001:db8::1]":     "joe@[IPv6:2001:db8::1]",
	} {
		if got := compose.ReturnPath(address); got != "Return-Path: <"+want+">\r\n" {
			t.Errorf("return path of %s is %q", address, got)
		}
		hop := compose.Received(compose.Hop{For: address, Time: noon})
		if address != "" && !strings.Contains(hop, "\r\n\tfor <"+want+">; ") {
			t.Errorf("received for %s is %q", address, hop)
		}
	}
}
