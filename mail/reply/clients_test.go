package reply

import (
	"strings"
	"testing"
	"unicode/utf8"
)

// What the common clients put around the original, and what is new in it.
func TestTextOfTheCommonClients(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"Gmail", "Sounds good, see you then!\n\nOn Mon, Jan 5, 2026 at 9:12 AM Jane Roe <jane@example.org> wrote:\n\n> Shall we meet at ten?\n>\n> Jane\n", "Sounds good, see you then!"},
		{"Gmail, wrapped", "Yes.\n\nOn Mon, Jan 5, 2026 at 9:12 AM Jane Roe With A Very Long Name <\njane.roe.with.a.long.address@example.org> wrote:\n\n> Shall we?\n", "Yes."},
		{"Gmail, wrapped twice", "Yes.\n\nOn Mon, Jan 5, 2026 at 9:12 AM Jane Roe via Some Very Long\nMailing List Name <\nlist@lists.example.org> wrote:\n\n> Shall we?\n", "Yes."},
		{"Apple Mail", "Fine with me.\n\nBest,\nJo\n\n> On 5 Jan 2026, at 09:12, Jane Roe <jane@example.org> wrote:\n> \n> Shall we?\n", "Fine with me.\n\nBest,\nJo"},
		{"iPhone", "On my way\n\nSent from my iPhone\n\n> On Jan 5, 2026, at 9:12 AM, Jane <jane@example.org> wrote:\n> \n> Where are you?\n", "On my way"},
		{"Thunderbird", "On 1/5/26 09:12, Jane Roe wrote:\n> Shall we?\n\nYes, gladly.\n\n-- \nJo Doe\nExample Inc.\n", "Yes, gladly."},
		{"Thunderbird, below", "Yes, gladly.\n\nOn 1/5/26 09:12, Jane Roe wrote:\n> Shall we?\n", "Yes, gladly."},
		{"Outlook", "Approved.\n\nRegards,\nJo\n\nFrom: Jane Roe <jane@example.org>\nSent: Monday, January 5, 2026 9:12 AM\nTo: Jo Doe <jo@example.org>\nSubject: Budget\n\nPlease approve.\n", "Approved.\n\nRegards,\nJo"},
		{"Outlook, old", "Approved.\n\n-----Original Message-----\nFrom: Jane Roe\nSent: Monday\nTo: Jo\nSubject: Budget\n\nPlease approve.\n", "Approved."},
		{"Outlook on the web", "Approved.\n________________________________\nFrom: Jane Roe <jane@example.org>\nSent: Monday, January 5, 2026 9:12 AM\nTo: Jo Doe <jo@example.org>\nSubject: Budget\n\nPlease approve.\n", "Approved."},
		{"Outlook on a phone", "OK\n\nGet Outlook for iOS<https://aka.ms/o0ukef>\n________________________________\nFrom: Jane Roe <jane@example.org>\nSent: Monday\nTo: Jo\nSubject: Budget\n\nPlease.\n", "OK"},
		{"Yahoo", "Great!\n\n    On Monday, January 5, 2026 at 09:12:00 AM GMT+1, Jane Roe <jane@example.org> wrote:  \n \n Shall we?\n", "Great!"},
		{"German", "Gerne.\n\nAm 05.01.26 um 09:12 schrieb Jane Roe:\n> Sollen wir?\n", "Gerne."},
		{"German Outlook", "Gerne.\n\nVon: Jane Roe <jane@example.org>\nGesendet: Montag, 5. Januar 2026 09:12\nAn: Jo\nBetreff: Treffen\n\nSollen wir?\n", "Gerne."},
		{"French", "Avec plaisir.\n\nLe lun. 5 janv. 2026 à 09:12, Jane Roe <jane@example.org> a écrit :\n\n> On y va ?\n", "Avec plaisir."},
		{"Spanish", "Vale.\n\nEl lun, 5 ene 2026 a las 9:12, Jane Roe (<jane@example.org>) escribió:\n\n> ¿Vamos?\n", "Vale."},
		{"answers between quotes", "On Mon, Jan 5, 2026 at 9:12 AM Jane <jane@example.org> wrote:\n> Shall we meet?\n\nYes.\n\n> And when?\n\nAt ten.\n", "Yes.\n\n\nAt ten."},
		{"a forward alone", "---------- Forwarded message ---------\nFrom: Jane <jane@example.org>\nDate: Mon, Jan 5, 2026\nSubject: x\nTo: Jo\n\nhello\n", "---------- Forwarded message ---------\nFrom: Jane <jane@example.org>\nDate: Mon, Jan 5, 2026\nSubject: x\nTo: Jo\n\nhello"},
		{"a quote alone", "> only\n> this\n", "> only\n> this"},
		{"wrote in a sentence", "As she wrote: nothing is lost.\nOn Monday we wrote: a letter\nto them.\n", "As she wrote: nothing is lost.\nOn Monday we wrote: a letter\nto them."},
		{"a heading From:", "From: the whole team\n\nHappy new year!\n", "From: the whole team\n\nHappy new year!"},
		{"a signature alone", "-- \nJo\n", "-- \nJo"},
		{"nothing", "", ""},
		{"CRLF", "Yes.\r\n\r\nOn Mon, Jan 5, 2026 at 9:12 AM Jane <jane@example.org> wrote:\r\n> Shall we?\r\n", "Yes."},
	} {
		if got := Text(c.in); got != c.want {
			t.Errorf("%s:\n got %q\nwant %q", c.name, got, c.want)
		}
	}
}

func TestHTMLOfTheCommonClients(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{ // want is the text that is left
		{"Gmail", `<div dir="ltr">Sounds good!</div><br><div class="gmail_quote gmail_quote_container"><div dir="ltr" class="gmail_attr">On Mon, Jan 5, 2026 at 9:12 AM Jane &lt;<a href="mailto:jane@example.org">jane@example.org</a>&gt; wrote:<br></div><blockquote class="gmail_quote" style="margin:0 0 0 .8ex"><div>Shall we?</div></blockquote></div>`, "Sounds good!"},
		{"Gmail signature", `<div dir="ltr">Yes<div><br></div><span class="gmail_signature_prefix">-- </span><br><div class="gmail_signature">Jo Doe</div></div>`, "Yes"},
		{"Outlook", `<html><head><style>p{}</style></head><body><div class="WordSection1"><p class="MsoNormal">Approved.</p><div><div style="border:none;border-top:solid #E1E1E1 1.0pt;padding:3.0pt 0in 0in 0in"><p class="MsoNormal"><b>From:</b> Jane<br><b>Sent:</b> Monday</p></div></div><p class="MsoNormal">Please approve.</p></div></body></html>`, "Approved."},
		{"Outlook on the web", `<div>Approved.</div><div id="appendonsend"></div><hr><div id="divRplyFwdMsg"><b>From:</b> Jane</div><div>Please approve.</div>`, "Approved."},
		{"Apple Mail", `<html><body>Fine.<div><br><blockquote type="cite"><div>On 5 Jan 2026, at 09:12, Jane wrote:</div><div>Shall we?</div></blockquote></div></body></html>`, "Fine."},
		{"Thunderbird", `<p>Gladly.</p><div class="moz-cite-prefix">On 1/5/26 09:12, Jane wrote:<br></div><blockquote type="cite" cite="mid:1@x"><p>Shall we?</p></blockquote><div class="moz-signature">-- <br>Jo</div>`, "Gladly."},
		{"Yahoo", `<div>Great!</div><div id="yahoo_quoted_1" class="yahoo_quoted"><div>On Monday Jane wrote:</div><div>Shall we?</div></div>`, "Great!"},
		{"Proton", `<div>Ok</div><div class="protonmail_quote">On Monday Jane wrote:<blockquote class="protonmail_quote" type="cite">Shall we?</blockquote></div>`, "Ok"},
		{"a quote alone", `<blockquote type="cite">only this</blockquote>`, "only this"},
		{"a blockquote of one's own", `<p>As the poet says</p><blockquote>all is well</blockquote>`, "As the poet says\n\nall is well"},
		{"plain", `hello`, "hello"},
	} {
		if got := ToText(HTML(c.in)); got != c.want {
			t.Errorf("%s:\n got %q\nwant %q", c.name, got, c.want)
		}
	}
}

func TestToText(t *testing.T) {
	for in, want := range map[string]string{
		`<p>one</p><p>two<br>three</p>`:                                                  "one\n\ntwo\nthree",
		`<style>p{}</style><script>x()</script><title>t</title>a &amp; b`:                "a & b",
		`<ul><li>one</li><li>two</li></ul>`:                                              "- one\n- two",
		`<a href="https://example.org/x">here</a> <a href="https://a.b">https://a.b</a>`: "here (https://example.org/x) https://a.b",
		`<table><tr><td>a</td><td>b</td></tr></table>`:                                   "a b",
		``: "",
	} {
		if got := ToText(in); got != want {
			t.Errorf("%s: %q, want %q", in, got, want)
		}
	}
}

// TestHostileTextsTakeLinearTime feeds what a quadratic scan would not finish before the tests time out.
func TestHostileTextsTakeLinearTime(t *testing.T) {
	for _, in := range []string{strings.Repeat("> ", 500_000), strings.Repeat(">\n", 200_000), strings.Repeat("On Monday\n", 100_000), strings.Repeat("From: x\n", 100_000),
		strings.Repeat("wrote:\n", 100_000), strings.Repeat("-", 1_000_000), "On " + strings.Repeat("x", 1_000_000) + " wrote:", strings.Repeat("On a wrote:\n> b\nc\n", 20_000)} {
		Text(in)
	}
	for _, in := range []string{strings.Repeat("<div>", 100_000), strings.Repeat("<blockquote type=cite>", 50_000), strings.Repeat("<a href=http://x>", 50_000)} {
		HTML(in)
		ToText(in)
	}
}

func FuzzReply(f *testing.F) {
	f.Add("Yes.\n\nOn Mon, Jane wrote:\n> x\n")
	f.Add("<div>a<div class=gmail_quote>b</div></div>")
	f.Add("From: a\nSent: b\nTo: c\n")
	f.Fuzz(func(t *testing.T, s string) {
		for name, got := range map[string]string{"Text": Text(s), "HTML": HTML(s), "ToText": ToText(s)} {
			if utf8.ValidString(s) && !utf8.ValidString(got) {
				t.Fatalf("%s(%q) is not valid: %q", name, s, got)
			}
		}
	})
}
