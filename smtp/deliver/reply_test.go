package deliver

import (
	"bufio"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestReplies(t *testing.T) {
	for text, want := range map[string]reply{
		"250 2.1.0 ok\r\n":                    {250, "2.1.0", "250 2.1.0 ok"},
		"250\r\n":                             {250, "", "250"},
		"250 ok\n":                            {250, "", "250 ok"},
		"550-5.1.1 no\r\n550 5.1.1 such\r\n":  {550, "5.1.1", "550-5.1.1 no\n550 5.1.1 such"},
		"550 4.1.1 no\r\n":                    {550, "", "550 4.1.1 no"},
		"550 5.1.1111 no\r\n":                 {550, "", "550 5.1.1111 no"},
		"550 5.1. no\r\n":                     {550, "", "550 5.1. no"},
		"250-a\r\n450 4.2.0 b\r\n":            {450, "4.2.0", "250-a\n450 4.2.0 b"},
		"250 \xe4\x00\x1b[2J\r\nrest is left": {250, "", "250 \uFFFD\uFFFD\uFFFD[2J"},
	} {
		if got, err := readReply(bufio.NewReader(strings.NewReader(text))); err != nil || got != want {
			t.Errorf("%q: %+v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "250", "25\r\n", "2500 x\r\n", "abc ok\r\n", "150 x\r\n", "600 x\r\n", "-50 x\r\n", "250_ok\r\n", "250-a\r\n", "250-a\r\n\r\n",
		"250 " + strings.Repeat("x", maxReplyLine) + "\r\n", strings.Repeat("250-x\r\n", maxReplyLines) + "250 x\r\n",
		strings.Repeat("250-"+strings.Repeat("x", 1000)+"\r\n", 20) + "250 x\r\n"} {
		if got, err := readReply(bufio.NewReaderSize(strings.NewReader(text), maxReplyLine)); err == nil {
			t.Errorf("%.40q: %+v", text, got)
		}
	}
}

// FuzzReply reads anything: what is understood is bounded, fit to be shown, and has a code.
func FuzzReply(f *testing.F) {
	f.Add("250-mx.example greets you\r\n250-SIZE 1000\r\n250-AUTH=PLAIN LOGIN\r\n250 PIPELINING\r\n")
	f.Add("550 5.7.1 no\r\n")
	f.Add("421\r\n")
	f.Add("250-\xff\r\n250 \x00\r\n")
	f.Fuzz(func(t *testing.T, text string) {
		r, err := readReply(bufio.NewReaderSize(strings.NewReader(text), maxReplyLine))
		if err != nil {
			return
		}
		if r.code < 200 || r.code > 599 || len(r.text) > 4*maxReplySize || !utf8.ValidString(r.text) || strings.ContainsAny(r.text, "\r\x00") {
			t.Errorf("%+v", r)
		}
		if r.enhanced != "" && r.enhanced[0] != r.text[strings.LastIndexByte(r.text, '\n')+1] {
			t.Errorf("%+v", r)
		}
		parseExtensions(r)
		refused(r, "x")
	})
}
