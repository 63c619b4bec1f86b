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

	"podmail/smtp/sign/signtest"
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

// TestConvertedMailIsSignedAfterwards: whatever form a host gets, the signature on it is about that form.
func TestConvertedMailIsSignedAfterwards(t *testing.T) {
	keys, records := signtest.Keys(t)
	long := "From: us@us.example\r\nSubject: x\r\nMIME-Version: 1.0\r\nContent-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n<p>" + strings.Repeat("wörd ", 1000) + "</p>\r\n"
	for _, c := range []struct {
		name, message string
		offers        []string
		encoded       bool
	}{
		{"as it is", "From: us@us.example\r\n" + eightBit, []string{"8BITMIME"}, false},
		{"in ASCII", "From: us@us.example\r\n" + eightBit, nil, true},
		{"with shorter lines", long, []string{"8BITMIME"}, true},
		{"with shorter lines, in ASCII", long, nil, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, h := meet(t, script{offers: c.offers}, nil)
			tr := transfer(c.message, "bob@example.org")
			tr.Keys = keys
			w.expect(t, tr, "taken 250 2.0.0")
			got := h.took()[0]
			if verdict := signtest.DKIM(t, got, records); verdict != "True True" {
				t.Errorf("dkimpy says %s", verdict)
			}
			if encoded := !strings.HasSuffix(got, c.message); encoded != c.encoded {
				t.Errorf("encoded: %v", encoded)
			}
			if !c.encoded {
				return
			}
			for line := range strings.SplitSeq(got, "\r\n") {
				if len(line) > 998 {
					t.Errorf("a line of %d bytes", len(line))
				}
			}
			if diff := cmp.Diff(leaves(t, c.message), leaves(t, got)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestLinesThatFit: 998 bytes stay as they are, one more does not (RFC 5322 2.1.1); nor does a NUL.
func TestLinesThatFit(t *testing.T) {
	w, h := meet(t, script{}, nil)
	for body, stays := range map[string]bool{strings.Repeat("x", 998): true, strings.Repeat("x", 999): false, "a\x00b": false} {
		message := "Subject: x\r\nContent-Type: text/plain\r\n\r\n" + body + "\r\n"
		w.expect(t, transfer(message, "bob@example.org"), "taken 250 2.0.0")
		taken := h.took()
		got := taken[len(taken)-1]
		if (got == message) != stays {
			t.Errorf("%.20q (%d bytes) became %.300q", body, len(body), got)
		}
		if diff := cmp.Diff(leaves(t, message), leaves(t, got)); diff != "" {
			t.Error(diff)
		}
	}
}

// TestPartsWithinParts: what stands in messages that are attached to others is encoded too, and what around it is not in
// ASCII is nobody's text.
func TestPartsWithinParts(t *testing.T) {
	const inner = "From: a@b.example\r\nSubject: inner\r\nMIME-Version: 1.0\r\nContent-Type: multipart/alternative; boundary=i\r\nContent-Transfer-Encoding: 8bit\r\n\r\nvör\r\n" +
		"--i\r\nContent-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: 8bit\r\n\r\nGr\xfc\xdfe\r\n" +
		"--i\r\nContent-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n<p>LONG ü</p>\r\n--i--\r\nnäch\r\n"
	message := strings.Replace("Subject: x\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=o\r\nContent-Transfer-Encoding: binary\r\n\r\n"+
		"--o\r\nContent-Type: message/rfc822\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"+inner+
		"--o\r\nContent-Type: message/global\r\nContent-Transfer-Encoding: 8bit\r\n\r\nSubject: größer\r\n\r\nä\r\n--o--\r\n", "LONG", strings.Repeat("wort ", 300), 1)
	for _, offers := range [][]string{nil, {"8BITMIME"}} {
		w, h := meet(t, script{offers: offers}, nil)
		w.expect(t, transfer(message, "bob@example.org"), "taken 250 2.0.0")
		got := h.took()[0]
		all := map[string]string{}
		for _, m := range []string{message, got} {
			_, after, _ := strings.Cut(m, "message/rfc822\r\n")
			_, attached, _ := strings.Cut(after, "\r\n\r\n")
			attached, _, _ = strings.Cut(attached, "--o")
			_, global, _ := strings.Cut(m, "message/global")
			head, body, _ := strings.Cut(global, "\r\n\r\n")
			encoding := ""
			if strings.Contains(head, "base64") {
				encoding = "base64"
			}
			body, _, _ = strings.Cut(body, "\r\n--o--")
			all[m] = strings.Join(leaves(t, attached), "|") + "|" + strings.TrimRight(decode(t, encoding, body), "\r\n")
		}
		if diff := cmp.Diff(all[message], all[got]); diff != "" {
			t.Error(diff)
		}
		if ascii := !strings.ContainsFunc(got, func(r rune) bool { return r >= 0x80 }); ascii != (offers == nil) {
			t.Errorf("with %q: %s", offers, got)
		}
		if offers == nil && (strings.Contains(got, "Encoding: 8bit") || strings.Contains(got, "Encoding: binary")) {
			t.Errorf("8 bits are said to be there: %s", got)
		}
	}
	w, _ := meet(t, script{}, nil)
	w.expect(t, transfer(strings.Replace(message, "Subject: inner", "Subject: ïnner", 1), "bob@example.org"), "content permanent 0 5.6.3") // its header cannot be encoded
}
