package deliver_test

import (
	"bytes"
	"encoding/base64"
	"io"
	"math/rand/v2"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestLineEnds: what goes on the wire has CRLF and nothing else, and a bare CR begins no field.
func TestLineEnds(t *testing.T) {
	w, h := meet(t, script{}, nil)
	for message, want := range map[string]string{
		"A: b\n\nc\nd":                 "A: b\r\n\r\nc\r\nd\r\n",
		"A: b\r\n\r\nc\rd\r\r\ne\r":    "A: b\r\n\r\nc\r\nd\r\n\r\ne\r\n",
		"A: b\rBcc: x\r\n\r\n.\n..\n":  "A: b Bcc: x\r\n\r\n.\r\n..\r\n",
		"A: b\r\n\r\n":                 "A: b\r\n\r\n",
		"A: b\r\n\r\n.":                "A: b\r\n\r\n.\r\n",
		"A: b\r\n\r\nx\r\n.\r\nMAIL\n": "A: b\r\n\r\nx\r\n.\r\nMAIL\r\n",
	} {
		w.expect(t, transfer(message, "bob@example.org"), "taken 250 2.0.0")
		got := h.took()
		if diff := cmp.Diff(want, got[len(got)-1]); diff != "" {
			t.Errorf("%q: %s", message, diff)
		}
	}
	if got := h.heard("MAIL\r"); got != nil {
		t.Error("a body became a command")
	}
}

// TestAnyBytesArrive sends random bodies and compares what arrives.
func TestAnyBytesArrive(t *testing.T) {
	w, h := meet(t, script{offers: []string{"8BITMIME", "PIPELINING"}}, nil)
	for n := range 50 {
		var b bytes.Buffer
		b.WriteString("Subject: random\r\n\r\n")
		for range rand.IntN(2000) {
			b.WriteString([]string{"\r\n", ".", "a", "ä", "xyz ", "\r\n.\r\n", "\t"}[rand.IntN(7)])
		}
		b.WriteString("\r\n")
		w.expect(t, transfer(b.String(), "bob@example.org"), "taken 250 2.0.0")
		if diff := cmp.Diff(b.String(), h.took()[n]); diff != "" {
			t.Fatal(diff)
		}
	}
}

const eightBit = "MIME-Version: 1.0\r\nSubject: x\r\nContent-Type: multipart/mixed; boundary=b\r\nContent-Transfer-Encoding: 8bit\r\n\r\nprämble\r\n--b\r\n" +
	"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\nGrüße,\r\n.\r\nda = 1 \r\n" +
	"--b\r\nContent-Type: text/plain\r\n\r\nascii stays = as it is\r\n" +
	"--b\r\nContent-Type: application/x-thing\r\nContent-Transfer-Encoding: binary\r\nX-A: b\r\n\r\n\xff\xfe\x80 thing\r\n" +
	"--b\r\nContent-Type: message/rfc822\r\nContent-Transfer-Encoding: 8bit\r\n\r\nSubject: inner\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<p>ö</p>\r\n" +
	"--b--\r\n"

// TestEightBit: a host that offers 8BITMIME gets the message as it is, another one in ASCII, with the same content.
func TestEightBit(t *testing.T) {
	w, h := meet(t, script{offers: []string{"8BITMIME"}}, nil)
	w.expect(t, transfer(eightBit, "bob@example.org"), "taken 250 2.0.0")
	if diff := cmp.Diff([]string{eightBit}, h.took()); diff != "" {
		t.Error(diff)
	}
	if got := h.heard("MAIL"); len(got) != 1 || !strings.HasSuffix(got[0], " BODY=8BITMIME") {
		t.Errorf("%q", got)
	}

	w, h = meet(t, script{}, nil)
	w.expect(t, transfer(eightBit, "bob@example.org"), "taken 250 2.0.0")
	got := h.took()[0]
	for i := range len(got) {
		if got[i] >= 0x80 {
			t.Fatalf("not ASCII: %q", got[max(0, i-20):i+1])
		}
	}
	if diff := cmp.Diff(leaves(t, eightBit), leaves(t, got)); diff != "" {
		t.Error(diff)
	}
	if !strings.Contains(got, "ascii stays = as it is\r\n") || !strings.Contains(got, "X-A: b\r\n") || strings.Contains(got, "Encoding: 8bit") {
		t.Error(got)
	}
}

// leaves are the decoded bodies of a message's parts.
func leaves(t *testing.T, message string) (out []string) {
	t.Helper()
	m, err := mail.ReadMessage(strings.NewReader(message))
	if err != nil {
		t.Fatal(err)
	}
	kind, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil {
		t.Fatal(err)
	}
	if params["boundary"] == "" {
		body, _ := io.ReadAll(m.Body)
		return []string{kind + ": " + decode(t, m.Header.Get("Content-Transfer-Encoding"), string(body))}
	}
	for r := multipart.NewReader(m.Body, params["boundary"]); ; {
		p, err := r.NextRawPart()
		if err == io.EOF {
			return out
		} else if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(p)
		if p.Header.Get("Content-Type") == "message/rfc822" {
			out = append(out, leaves(t, string(body))...)
			continue
		}
		out = append(out, p.Header.Get("Content-Type")+": "+decode(t, p.Header.Get("Content-Transfer-Encoding"), string(body)))
	}
}

func TestEightBitWithoutMIME(t *testing.T) {
	w, h := meet(t, script{}, nil)
	w.expect(t, transfer("Subject: x\r\n\r\nGr\xfc\xdfe\r\n", "bob@example.org"), "taken 250 2.0.0")
	want := "Subject: x\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=unknown-8bit\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nGr=FC=DFe\r\n"
	if diff := cmp.Diff([]string{want}, h.took()); diff != "" {
		t.Error(diff)
	}
}

// TestWhatCannotBeEncoded is refused by us with a reason: no signature is broken, no header changed.
func TestWhatCannotBeEncoded(t *testing.T) {
	w, h := meet(t, script{}, nil)
	for _, message := range []string{
		"DKIM-Signature: v=1; d=x\r\nSubject: x\r\n\r\nö\r\n",
		"Subject: x\r\nContent-Type: multipart/signed; boundary=b\r\n\r\n--b\r\n\r\nö\r\n--b\r\n\r\nsig\r\n--b--\r\n",
		"Subject: x\r\nContent-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\n\r\nö\r\n",
		"Subject: \xe4\r\n\r\nö\r\n", // no signature, but nothing that can be encoded
		"Subject: x\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Disposition: attachment; filename=ö\r\n\r\nx\r\n--b--\r\n",
	} {
		w.expect(t, transfer(message, "bob@example.org"), "content permanent 0 5.6.3")
	}
	if got := h.heard("MAIL"); got != nil {
		t.Errorf("%q", got)
	}
	long := "DKIM-Signature: v=1; d=x\r\nSubject: x\r\n\r\n" + strings.Repeat("x", 2000) + "\r\n"
	w.expect(t, transfer(long, "bob@example.org"), "taken 250 2.0.0")
	if got := h.took()[0]; got != long {
		t.Error("a signed message was changed")
	}
}

// TestLongLines: lines that SMTP does not carry are encoded.
func TestLongLines(t *testing.T) {
	w, h := meet(t, script{offers: []string{"8BITMIME"}}, nil)
	text := strings.Repeat("wörd ", 1000)
	w.expect(t, transfer("MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"+text+"\r\n", "bob@example.org"), "taken 250 2.0.0")
	head, body, _ := strings.Cut(h.took()[0], "\r\n\r\n")
	if !strings.HasSuffix(head, "quoted-printable") || strings.TrimRight(decode(t, "quoted-printable", body), "\r\n") != text {
		t.Errorf("%s", h.took()[0])
	}
}

// TestInternational: SMTPUTF8 is asked for where it is needed and refused clearly where it is not there.
func TestInternational(t *testing.T) {
	w, h := meet(t, script{}, nil)
	w.expect(t, transfer(plain, "jörg@example.org", "bob@bücher.example"), "content permanent 0 5.6.7", "taken 250 2.0.0")
	if got := h.heard("RCPT"); len(got) != 1 || got[0] != "RCPT TO:<bob@xn--bcher-kva.example>" {
		t.Errorf("%q", got)
	}
	w.expect(t, transfer("Subject: Grüße\r\n\r\nx\r\n", "bob@example.org"), "content permanent 0 5.6.9")
	tr := transfer(plain, "bob@example.org")
	tr.ReversePath = "jörg@us.example"
	w.expect(t, tr, "content permanent 0 5.6.7")

	w, h = meet(t, script{offers: []string{"SMTPUTF8", "8BITMIME"}}, nil)
	w.expect(t, transfer(plain, "jörg@example.org", "bob@example.org"), "taken 250 2.0.0", "taken 250 2.0.0")
	w.expect(t, transfer("Subject: Grüße\r\n\r\nx\r\n", "bob@example.org"), "taken 250 2.0.0")
	w.expect(t, tr, "taken 250 2.0.0")
	w.expect(t, transfer(plain, "bob@example.org"), "taken 250 2.0.0")
	want := []string{"MAIL FROM:<us@us.example> SMTPUTF8", "MAIL FROM:<us@us.example> BODY=8BITMIME SMTPUTF8", "MAIL FROM:<jörg@us.example> SMTPUTF8", "MAIL FROM:<us@us.example>"}
	if diff := cmp.Diff(want, h.heard("MAIL")); diff != "" {
		t.Error(diff)
	}
}
func decode(t *testing.T, encoding, body string) string {
	t.Helper()
	r := io.Reader(strings.NewReader(body))
	switch encoding {
	case "quoted-printable":
		r = quotedprintable.NewReader(r)
	case "base64":
		r = base64.NewDecoder(base64.StdEncoding, r)
	case "7bit", "8bit", "binary", "":
	default:
		t.Fatalf("encoding %q", encoding)
	}
	out, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}
