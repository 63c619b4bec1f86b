package tlsrpt

import (
	"strings"
	"testing"
)

func TestRecipients(t *testing.T) {
	for record, want := range map[string]string{
		"v=TLSRPTv1; rua=mailto:tls@example.com":                                                      "tls@example.com",
		"v=TLSRPTv1;rua=mailto:a@b.example , https://x.example/v1,MAILTO:c%2B@d.e":                    "a@b.example https://x.example/v1 c+@d.e",
		"v=TLSRPTv1; x=y; rua=mailto:a@b;":                                                            "a@b",
		"v=TLSRPTv1; rua=HTTPS://x.example:8443/a%2Cb?c#d":                                            "https://x.example:8443/a%2Cb?c",
		"v=TLSRPTv1; rua=http://x.example,https:///p,https://u:p@x.example,ftp://x.example,https:x,x": "",
		"v=TLSRPTv1; rua=https://x.example/%zz,https://x .example,https://[::1/,https://x.example":    "https://x.example",
		"v=TLSRPTv2; rua=mailto:a@b":                                                                  "",
		"v=TLSRPTv1; rua=mailto:a,mailto:@b,mailto:a@b@c,mailto:a%0d%0a@b,mailto:":                    "",
		"rua=mailto:a@b": "",
		"":               "",
	} {
		if got := strings.Join(Recipients([]string{"other", record}), " "); got != want {
			t.Errorf("%q: %q, want %q", record, got, want)
		}
	}
	one := "v=TLSRPTv1; rua=mailto:a@b"
	if got := Recipients([]string{one, one}); got != nil {
		t.Errorf("two records: %q", got)
	}
}

// FuzzRecipients reads anything: what it takes for an address cannot end a command or a field.
func FuzzRecipients(f *testing.F) {
	f.Add("v=TLSRPTv1; rua=mailto:tls@example.com,https://x")
	f.Add("v=TLSRPTv1;rua=https://x.example/\r\n,https://[::1]:1/ä")
	f.Add("v=TLSRPTv1;rua=mailto:%0d%0a@b;rua=mailto:a@b?subject=x")
	f.Fuzz(func(t *testing.T, text string) {
		for _, a := range Recipients([]string{text}) {
			if IsURL(a) {
				if strings.ContainsAny(a, "\r\n ") || len(a) > 3*maxURL {
					t.Errorf("%q", a)
				}
				continue
			}
			if strings.ContainsAny(a, "\r\n<> ") || strings.Count(a, "@") != 1 {
				t.Errorf("%q", a)
			}
		}
	})
}
