package dmarc

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/google/go-cmp/cmp"

	"podmail/mail/parse"
)

func provider() *Report {
	return &Report{Organization: "provider.test", Email: "noreply-dmarc@provider.test", Contact: "https://provider.test/dmarc", ID: "1795612126",
		Begin: time.Unix(1795478400, 0).UTC(), End: time.Unix(1795564799, 0).UTC(),
		Policy: Policy{Domain: "sender.test", ADKIM: "r", ASPF: "r", Policy: "quarantine", Subdomain: "none", Percent: 50},
		Records: []Record{
			{Source: netip.MustParseAddr("192.0.2.1"), Count: 12, Disposition: "none", DKIM: "pass", SPF: "fail", HeaderFrom: "sender.test",
				DKIMResults: []DKIMResult{{"sender.test", "podmail1", "pass"}, {"list.test", "", "fail"}}, SPFResults: []SPFResult{{"list.test", "", "pass"}}},
			{Source: netip.MustParseAddr("2001:db8::7"), Count: 3, Disposition: "quarantine", DKIM: "fail", SPF: "fail", Reasons: []Reason{{"local_policy", "arc=pass"}},
				EnvelopeFrom: "spoof.test", HeaderFrom: "sender.test"},
		}, Passed: 12, Failed: 3}
}

var address = cmp.Comparer(func(a, b netip.Addr) bool { return a == b })

func TestUnmarshal(t *testing.T) {
	text, err := os.ReadFile("testdata/provider.xml")
	if err != nil {
		t.Fatal(err)
	}
	got, err := Unmarshal(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(provider(), got, address); diff != "" {
		t.Error(diff)
	}
	if !got.Records[0].Aligned() || got.Records[1].Aligned() {
		t.Error("alignment")
	}
}

func utf16LE(s string) string {
	var b []byte
	for _, u := range utf16.Encode([]rune(s)) {
		b = binary.LittleEndian.AppendUint16(b, u)
	}
	return string(b)
}

func TestUnmarshalDialects(t *testing.T) {
	const start, end = `<report_metadata><report_id>x</report_id></report_metadata><policy_published><domain>a.test</domain></policy_published>`, `</feedback>`
	for name, text := range map[string]string{
		"namespace": `<feedback xmlns="http://dmarc.org/dmarc-xml/0.1">` + start + end,
		"latin":     `<?xml version="1.0" encoding="windows-1252"?><feedback>` + start + "<x>\xe9</x>" + end,
		"unknown":   `<feedback><new><deep>` + start + `</deep></new>` + start + end,
		"garbage":   "<feedback>" + start + end + "\n\n",
		"UTF-8 BOM": "\ufeff<feedback>" + start + end,
		"UTF-16":    utf16LE("\ufeff<?xml version=\"1.0\" encoding=\"UTF-16\"?><feedback>" + start + end),
	} {
		if r, err := Unmarshal(strings.NewReader(text)); err != nil || r.Policy.Domain != "a.test" || r.Policy.Percent != 100 {
			t.Errorf("%s: %v %v", name, r, err)
		}
	}
	for name, text := range map[string]string{
		"empty": "", "no report": "<html></html>", "cut": "<feedback>" + start, "no domain": "<feedback></feedback>", "binary": "\x00\x01",
		"charset": `<?xml version="1.0" encoding="nonsense"?><feedback>` + start + end,
	} {
		if r, err := Unmarshal(strings.NewReader(text)); err == nil {
			t.Errorf("%s: %v", name, r)
		}
	}
}

const head = "<feedback><report_metadata><report_id>x</report_id></report_metadata><policy_published><domain>a.test</domain></policy_published>"

// TestManyRecords: all are counted, and the largest are kept.
func TestManyRecords(t *testing.T) {
	const n = 5*maxRecords + 10
	var b strings.Builder
	b.WriteString(strings.Replace(head, ">x<", ">"+strings.Repeat("x", 5000)+"<", 1))
	passed, failed := int64(0), int64(0)
	for i := range n {
		count, dkim := int64((i*7919)%n+1), "pass" // each from 1 to n once, in no order
		if passed += count; i%3 == 0 {
			passed, failed, dkim = passed-count, failed+count, "fail"
		}
		fmt.Fprintf(&b, "<record><row><source_ip>192.0.2.1</source_ip><count>%d</count><policy_evaluated><dkim>%s</dkim></policy_evaluated></row></record>", count, dkim)
	}
	b.WriteString("<record><row><source_ip>192.0.2.1</source_ip><count>99999999999999999999</count></row></record></feedback>")
	r, err := Unmarshal(strings.NewReader(b.String()))
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Records) != maxRecords || r.Records[0].Count != n || r.Records[maxRecords-1].Count != n-maxRecords+1 || len(r.ID) != maxValue {
		t.Errorf("%d records, from %d to %d, an id of %d bytes", len(r.Records), r.Records[0].Count, r.Records[len(r.Records)-1].Count, len(r.ID))
	}
	if r.Passed != passed || r.Failed != failed {
		t.Errorf("%d passed and %d failed of %d and %d", r.Passed, r.Failed, passed, failed)
	}
}

// TestBombs are refused before they take memory or time, whatever they are made of.
func TestBombs(t *testing.T) {
	const size = 16 << 20
	fill := func(piece string) string { return strings.Repeat(piece, size/len(piece)) }
	for name, c := range map[string]struct{ text, want string }{
		"deep":          {head + fill("<a>"), "nested more than"},
		"before it":     {fill("<a>"), "no aggregate report"},
		"flat":          {head + fill("<a/>"), "elements"},
		"of a part":     {head + "<b>" + fill("<a/>"), "a part of it has more than"},
		"results":       {head + "<record><auth_results>" + fill("<dkim/>"), "a part of it has more than"},
		"errors":        {"<feedback><report_metadata>" + fill("<error/>"), "a part of it has more than"},
		"attributes":    {head + "<a " + fill(`b="" `), "longer than"},
		"names":         {head + "<a " + fill("b "), "longer than"},
		"one attribute": {head + `<a b="` + fill("x"), "longer than"},
		"name":          {head + "<" + fill("x"), "longer than"},
		"text":          {head + "<a>" + fill("x"), "longer than"},
		"comment":       {head + "<!--" + fill("x"), "longer than"},
		"directive":     {"<!DOCTYPE feedback [" + fill("<!ENTITY x 'y'>"), "longer than"},
		"instruction":   {"<?xml " + fill("x"), "longer than"},
		"character set": {`<?xml version="1.0" encoding="windows-1252"?>` + head + "<a " + fill("b "), "longer than"},
	} {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			r, err := Unmarshal(strings.NewReader(c.text))
			runtime.ReadMemStats(&after)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, %v", r, err)
			}
			if n := after.TotalAlloc - before.TotalAlloc; n > 16<<20 && name != "flat" { // there it is given back as it goes
				t.Errorf("%d bytes of memory", n)
			}
		})
	}
}

func TestWrite(t *testing.T) {
	var b bytes.Buffer
	m := &Message{Report: provider(), Submitter: "mail.test", From: "dmarc-reports@mail.test", To: "rua@sender.test", MessageID: "<r1@mail.test>", Date: time.Unix(1795612126, 0)}
	if err := Write(&b, m); err != nil {
		t.Fatal(err)
	}
	p, err := parse.Message(bytes.NewReader(b.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	if want := "Report Domain: sender.test Submitter: mail.test Report-ID: <1795612126>"; p.Envelope.Subject != want || !p.Auto {
		t.Errorf("%q, automatic: %v", p.Envelope.Subject, p.Auto)
	}
	if len(p.Attachments) != 1 || p.Attachments[0].Filename != "mail.test!sender.test!1795478400!1795564799.xml.gz" {
		t.Errorf("%v", p.Attachments)
	}
	back, err := Read(p, bytes.NewReader(b.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(provider(), back, address); diff != "" {
		t.Error(diff)
	}
}

func TestRead(t *testing.T) {
	var gz bytes.Buffer
	z := gzip.NewWriter(&gz)
	if _, err := z.Write([]byte(head + "</feedback>")); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	packed := base64.StdEncoding.EncodeToString(gz.Bytes())
	for name, c := range map[string]struct{ raw, want string }{
		"whole message": {"Content-Type: text/xml\n\n<feedback><report_metadata><report_id>x</report_id></report_metadata><policy_published><domain>a.test</domain></policy_published></feedback>\n", "a.test"},
		"by name": {"Content-Type: multipart/mixed; boundary=b\n\n--b\n\nhi\n--b\nContent-Type: application/octet-stream; name=\"a!b!1!2.xml\"\n\n" +
			"<feedback><report_metadata><report_id>x</report_id></report_metadata><policy_published><domain>a.test</domain></policy_published></feedback>\n--b--\n", "a.test"},
		"a gzip by its name":  {"Content-Type: application/octet-stream; name=\"a!b!1!2.gz\"\nContent-Transfer-Encoding: base64\n\n" + packed + "\n", "a.test"},
		"a gzip without one":  {"Content-Type: application/octet-stream\nContent-Transfer-Encoding: base64\n\n" + packed + "\n", "a.test"},
		"a gzip of odd type":  {"Content-Type: application/x-gunzip; name=\"report.GZ\"\nContent-Transfer-Encoding: base64\n\n" + packed + "\n", "a.test"},
		"beside a picture":    {"Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: application/octet-stream\n\nGIF8\n--b\nContent-Type: application/octet-stream\nContent-Transfer-Encoding: base64\n\n" + packed + "\n--b--\n", "a.test"},
		"no gzip of the name": {"Content-Type: application/octet-stream; name=\"a.gz\"\n\nhello\n", "none"},
		"too short for any":   {"Content-Type: application/octet-stream\n\na", "none"},
		"none":                {"Subject: hi\n\nhello\n", "none"},
		"no report":           {"Content-Type: application/zip\nContent-Transfer-Encoding: base64\n\nUEsDBAAA\n", "error"},
	} {
		raw := strings.ReplaceAll(c.raw, "\n", "\r\n")
		p, err := parse.Message(strings.NewReader(raw))
		if err != nil {
			t.Fatal(err)
		}
		r, err := Read(p, strings.NewReader(raw))
		got := "none"
		if err != nil {
			got = "error"
		} else if r != nil {
			got = r.Policy.Domain
		}
		if got != c.want {
			t.Errorf("%s: %s, %v", name, got, err)
		}
	}
}

func FuzzUnmarshal(f *testing.F) {
	text, err := os.ReadFile("testdata/provider.xml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add([]byte(`<feedback><report_metadata><report_id>x</report_id></report_metadata><policy_published><domain>a.test</domain></policy_published></feedback>`))
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := Unmarshal(bytes.NewReader(text))
		if err != nil {
			return
		}
		for _, rec := range r.Records {
			if rec.Count < 1 || !rec.Source.IsValid() || len(rec.HeaderFrom) > 2*maxValue {
				t.Error(fmt.Sprint(rec))
			}
		}
		written, err := Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		back, err := Unmarshal(bytes.NewReader(written))
		if err != nil || len(back.Records) != len(r.Records) {
			t.Errorf("what was read cannot be read again: %v\n%s", err, written)
		}
	})
}
