package mtasts

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestID(t *testing.T) {
	for _, c := range []struct {
		texts []string
		want  string // empty: none
	}{
		{[]string{"v=spf1 -all", "v=STSv1; id=20160831085700Z;"}, "20160831085700Z"},
		{[]string{"v=STSv1;id=a"}, "a"},
		{[]string{"v=STSv1 ; x=y; id=a; id=b"}, "a"},
		{nil, ""}, {[]string{"v=STSv1;"}, ""}, {[]string{"v=STSv1; id="}, ""}, {[]string{"v=STSv1; id=a b"}, ""},
		{[]string{"v=STSv2; id=a"}, ""}, {[]string{"id=a; v=STSv1"}, ""},
		{[]string{"v=STSv1; id=a", "v=STSv1; id=b"}, ""}, {[]string{"v=STSv1; id=" + strings.Repeat("a", 33)}, ""},
	} {
		if got, ok := ID(c.texts); ok != (c.want != "") || ok && got != c.want {
			t.Errorf("%q: %q, %v", c.texts, got, ok)
		}
	}
}

func TestParse(t *testing.T) {
	got, err := Parse("version: STSv1\r\nmode: enforce\r\nmx: Mail.example.com\r\nmx: *.example.net\r\nmx:backup.example.com.\r\nmax_age: 604800\r\nmode: none\r\nnew: x\r\n")
	want := Policy{Enforce, []string{"mail.example.com", "*.example.net", "backup.example.com"}, 604800 * time.Second}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Error(err, diff)
	}
	if got, err := Parse("version: STSv1\nmode: none\nmax_age: 9999999999"); err != nil || got.MaxAge != maxAge*time.Second {
		t.Error(got, err)
	}
	for _, bad := range []string{"", "<html>", "version: STSv1\nmode: enforce\nmax_age: 1", "version: STSv2\nmode: none\nmax_age: 1", "mode: none\nmax_age: 1",
		"version: STSv1\nmode: strict\nmx: a\nmax_age: 1", "version: STSv1\nmode: none", "version: STSv1\nmode: none\nmax_age: -1", "version: STSv1\nmode: none\nmax_age: 99999999999"} {
		if got, err := Parse(bad); err == nil {
			t.Errorf("%q: %+v", bad, got)
		}
	}
}

func TestCovers(t *testing.T) {
	p := Policy{MX: []string{"mail.example.com", "*.example.net"}}
	for host, want := range map[string]bool{"mail.example.com": true, "MAIL.example.com.": true, "a.example.net": true, "a.b.example.net": false, "example.net": false,
		"example.com": false, "xmail.example.com": false, "": false, "net": false} {
		if got := p.Covers(host); got != want {
			t.Errorf("%s: %v", host, got)
		}
	}
}

// FuzzParse reads anything; what it takes for a policy says the same when it is written and read again.
func FuzzParse(f *testing.F) {
	f.Add("version: STSv1\r\nmode: enforce\r\nmx: mail.example.com\r\nmax_age: 604800\r\n")
	f.Add("version: STSv1\nmode: testing\nmx: *\nmx: \nmax_age: 0")
	f.Add(":\n::\nmx:mx:mx")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := Parse(text)
		if err != nil {
			return
		}
		again, err := Parse(strings.Join(p.Lines(), "\r\n"))
		if err != nil || !cmp.Equal(p, again) {
			t.Errorf("%+v: %+v, %v", p, again, err)
		}
		p.Covers("mail.example.com")
		ID([]string{text})
	})
}
