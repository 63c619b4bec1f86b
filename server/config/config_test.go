package config

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/google/go-cmp/cmp/cmpopts"
	"podmail/mail"
)

var values = cmpopts.IgnoreUnexported(Config{})

func TestLaterSourcesGoBeforeEarlierOnes(t *testing.T) {
	file := filepath.Join(t.TempDir(), "podmail.toml")
	write(t, file, `
hostname = "File.Example"
data_dir = "from-file"
[smtp]
listen = ":25"
max_message_size = "1MiB"
`)
	got, err := Load(Sources{File: file, DataDir: "from-flag",
		Environ: []string{"HOME=/", "PODMAIL_DATA_DIR=from-environment", "PODMAIL_SMTP_LISTEN=[::1]:25", "PODMAIL_HTTP_PUBLIC_URL=https://mail.example/"}})
	if err != nil {
		t.Fatal(err)
	}
	want := Default()
	want.Hostname, want.DataDir = "file.example", "from-flag"
	want.SMTP.Listen, want.SMTP.MaxMessageSize = "[::1]:25", 1<<20
	want.HTTP.PublicURL = "https://mail.example"
	if diff := cmp.Diff(want, got, values); diff != "" {
		t.Error(diff)
	}
	for key, name := range map[string]string{
		"hostname":              file + ":2: hostname",
		"data_dir":              "--data: data_dir",
		"smtp.listen":           "PODMAIL_SMTP_LISTEN",
		"smtp.max_message_size": file + ":6: smtp.max_message_size",
		"imap.listen":           "imap.listen (PODMAIL_IMAP_LISTEN)",
	} {
		if got := got.Name(key); got != name {
			t.Errorf("Name(%s) = %q, want %q", key, got, name)
		}
	}
}

func TestFilesAreTakenStrictly(t *testing.T) {
	const top = "there are data_dir, default_domain, hostname, postmaster, and the tables [smtp], [imap], [http], [tls], [dns], [webhooks], [agent], [metrics], [delivery], [sending], [limits]"
	for _, c := range []struct{ name, file, want string }{
		{"unknown key", "hostnam = \"x\"", "f.toml:1: there is no setting hostnam; " + top},
		{"unknown key in a table", "[smtp]\n\nlisten_on = \"x\"", "f.toml:3: there is no setting smtp.listen_on; [smtp] has clamav, dmarc_reports, dnsbl, greylist, listen, max_message_size, proxy_networks, rspamd, submission, submission_tls, trusted, trusted_sealers, unauthenticated"},
		{"unknown inline key", "smtp = { listen = \":25\", tls = true }", "f.toml:1: there is no setting smtp.tls; [smtp] has "},
		{"unknown table", "[deliveries]\nrelay = \"\"", "f.toml:2: there is no setting deliveries.relay; " + top},
		{"relay of another kind", "[delivery]\nrelay = \"http://user:secret@host\"", "f.toml:2: delivery.relay must be \"smtp://user:password@host:587\", \"smtps://…\" or \"\", not what is there"},
		{"relay without a password", "[delivery]\nrelay = \"smtp://user@host\"", "f.toml:2: delivery.relay must be"},
		{"no port", "[delivery]\nmx_port = 0", "f.toml:2: delivery.mx_port must be a port, 1 to 65535, not \"0\""},
		{"unknown empty table", "\n[hooks]", "f.toml:2: there is no setting hooks; " + top},
		{"unknown empty table in a table", "\n[smtp.limits]", "f.toml:2: there is no setting smtp.limits; [smtp] has "},
		{"table for a value", "[hostname]\nx = 1", "f.toml:2: there is no setting hostname.x; " + top},
		{"value for a table", "smtp = \":25\"", "f.toml:1: there is no setting smtp; [smtp] has "},
		{"array of tables", "[[smtp]]\nlisten = \":25\"", "f.toml:1: there is no setting smtp; [smtp] has "},
		{"everything that is wrong", "a = 1\nhostname = \"-\"\nb = 2", "f.toml:1: there is no setting a; " + top + "\nf.toml:2: hostname must be a domain name, such as \"mail.example.com\", not \"-\"\nf.toml:3: there is no setting b"},
		{"bad syntax", "hostname = \"x", "f.toml:1:"},
		{"a key twice", "hostname = \"a\"\nhostname = \"b\"", "f.toml:2:"},
		{"number for a string", "hostname = 7", "f.toml:1: hostname must be a domain name, such as \"mail.example.com\", not 7"},
		{"bool for a string", "data_dir = true", "f.toml:1: data_dir must be a folder, not true"},
		{"no folder", "data_dir = \"\"", "f.toml:1: data_dir must be a folder, not \"\""},
		{"port alone", "smtp.listen = 25", "f.toml:1: smtp.listen must be host:port, such as \"127.0.0.1:2525\", \":25\" (everywhere) or \"\" (off), not 25"},
		{"no port", "[imap]\nlisten = \"127.0.0.1\"", "f.toml:2: imap.listen must be host:port"},
		{"named port", "[imap]\nlisten = \":imap\"", "f.toml:2: imap.listen must be host:port"},
		{"port too large", "[imap]\nlisten = \":65536\"", "f.toml:2: imap.listen must be host:port"},
		{"bad host", "[imap]\nlisten = \"a_b:1\"", "f.toml:2: imap.listen must be host:port"},
		{"resolver without port", "[dns]\nresolver = \"127.0.0.1\"", "f.toml:2: dns.resolver must be host:port, such as \"127.0.0.1:53\", or \"\", not "},
		{"resolver without host", "[dns]\nresolver = \":53\"", "f.toml:2: dns.resolver must be host:port"},
		{"quoted switch", "[dns]\ntrusted = \"true\"", "f.toml:2: dns.trusted must be true or false, not \"true\""},
		{"number for a switch", "[dns]\ntrusted = 1", "f.toml:2: dns.trusted must be true or false, not 1"},
		{"URL without scheme", "[http]\npublic_url = \"mail.example\"", "f.toml:2: http.public_url must be an http or https URL without a path"},
		{"URL with a path", "[http]\npublic_url = \"https://mail.example/api\"", "f.toml:2: http.public_url must be an http or https URL without a path"},
		{"URL of another kind", "[http]\npublic_url = \"ftp://mail.example\"", "f.toml:2: http.public_url must be"},
		{"no API", "[http]\nlisten = \"\"", "f.toml:2: http.listen must not be empty"},
		{"a limit of nothing", "limits.errors = 0", "f.toml:1: limits.errors must be a whole number from 1 to 1000000000, not \"0\""},
		{"a volume without end", "limits.bytes_per_hour = \"2000GiB\"", "f.toml:1: limits.bytes_per_hour must be a size from \"1MiB\" to \"1024GiB\""},
		{"a time without unit", "limits.stall_time = \"5\"", "f.toml:1: limits.stall_time must be a time from \"1s\" to \"24h\", such as \"5m\", not \"5\""},
		{"no network", "smtp.proxy_networks = \"10.0.0.0/8, proxy\"", "f.toml:1: smtp.proxy_networks must be addresses and networks"},
		{"no inbox", "postmaster = \"ops\"", "f.toml:1: postmaster must be the address of an inbox"},
		{"TLS port without certificate", "[smtp]\nsubmission_tls = \":465\"\n[imap]\nlisten_tls = \":993\"",
			"f.toml:2: smtp.submission_tls needs a certificate: set tls.cert and tls.key too, or leave it empty\nf.toml:4: imap.listen_tls needs a certificate"},
		{"certificate without key", "[tls]\ncert = \"c.pem\"", "f.toml:2: tls.cert is set, so tls.key must be set too"},
		{"key without certificate", "[tls]\nkey = \"k.pem\"", "f.toml:2: tls.key is set, so tls.cert must be set too"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			write(t, "f.toml", c.file)
			if _, err := Load(Sources{File: "f.toml"}); err == nil || !strings.HasPrefix(err.Error(), c.want) {
				t.Errorf("got  %v\nwant %s…", err, c.want)
			}
		})
	}
}

func TestEnvironmentIsTakenStrictly(t *testing.T) {
	for _, c := range []struct{ variable, want string }{
		{"PODMAIL_SMTP_LISTEN=25", `PODMAIL_SMTP_LISTEN must be host:port, such as "127.0.0.1:2525", ":25" (everywhere) or "" (off), not "25"`},
		{"PODMAIL_SMTP_MAX_MESSAGE_SIZE=big", `PODMAIL_SMTP_MAX_MESSAGE_SIZE must be a size from "64KiB" to "1GiB", such as "50MiB", not "big"`},
		{"PODMAIL_DNS_TRUSTED=yes", `PODMAIL_DNS_TRUSTED must be true or false, not "yes"`},
		{"PODMAIL_HOSTNAME=a b", `PODMAIL_HOSTNAME must be a domain name, such as "mail.example.com", not "a b"`},
		{"PODMAIL_IMAP_LISTEN_TLS=:993", "PODMAIL_IMAP_LISTEN_TLS needs a certificate"},
	} {
		if _, err := Load(Sources{Environ: []string{c.variable}}); err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%s:\ngot  %v\nwant %s…", c.variable, err, c.want)
		}
	}
	strays := Strays([]string{"PATH=/bin", "PODMAIL_CONFIG=x", "PODMAIL_SMTP_LISTEN=:25", "PODMAIL_SMPT_LISTEN=:25"})
	if diff := cmp.Diff([]string{"PODMAIL_SMPT_LISTEN"}, strays); diff != "" {
		t.Error(diff)
	}
}

func TestMissingFileIsAnError(t *testing.T) {
	if _, err := Load(Sources{File: filepath.Join(t.TempDir(), "absent.toml")}); err == nil || !strings.Contains(err.Error(), "absent.toml") {
		t.Errorf("got %v", err)
	}
}

func TestSizes(t *testing.T) {
	for text, want := range map[string]Size{
		"50MiB": 50 << 20, "64KiB": 64 << 10, "1GiB": 1 << 30, "1.5MiB": 3 << 19, "10 MB": 10e6, "65536": 64 << 10, "100kB": 1e5, "70000B": 70000,
		"63KiB": 0, "2GiB": 0, "": 0, "MiB": 0, "-1MiB": 0, "NaN": 0, "1e300": 0, "65536.5": 0, "5mib": 0,
	} {
		var got Size
		if err := got.UnmarshalText([]byte(text)); (err == nil) != (want != 0) || got != want {
			t.Errorf("%q is %d, %v; want %d", text, got, err, want)
		}
	}
	c := Default()
	if err := c.readTOML("f.toml", []byte("smtp.max_message_size = 65_536")); err != nil || c.SMTP.MaxMessageSize != 65536 {
		t.Errorf("a plain number: %d, %v", c.SMTP.MaxMessageSize, err)
	}
}

func TestNetworks(t *testing.T) {
	var n Networks
	if err := n.UnmarshalText([]byte("10.1.2.3/8, 192.0.2.7,2001:db8::/32")); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(n.Prefixes()); got != "[10.0.0.0/8 192.0.2.7/32 2001:db8::/32]" || Networks("").Prefixes() != nil {
		t.Error(got)
	}
}

func TestPublicOrigin(t *testing.T) {
	for _, c := range []struct{ listening, publicURL, want string }{
		{"127.0.0.1:8080", "", "http://127.0.0.1:8080"},
		{"[::1]:8080", "", "http://[::1]:8080"},
		{"[::]:8080", "", "http://mail.example:8080"},
		{"0.0.0.0:80", "", "http://mail.example:80"},
		{"[::]:8080", "https://mail.example", "https://mail.example"},
	} {
		config := Default()
		config.Hostname, config.HTTP.PublicURL = "mail.example", Origin(c.publicURL)
		addr, err := net.ResolveTCPAddr("tcp", c.listening)
		if err != nil {
			t.Fatal(err)
		}
		if got := config.PublicOrigin(addr); got != c.want {
			t.Errorf("listening on %s, public_url %q: %q, want %q", c.listening, c.publicURL, got, c.want)
		}
	}
}

// TestEveryFieldIsASetting keeps the table whole: a field that it lacks could not be set.
func TestEveryFieldIsASetting(t *testing.T) {
	c := Default()
	listed := map[uintptr]bool{}
	for _, s := range c.settings() {
		listed[reflect.ValueOf(s.value).Pointer()] = true
	}
	n := 0
	var walk func(v reflect.Value, name string)
	walk = func(v reflect.Value, name string) {
		for i := range v.NumField() {
			field := v.Type().Field(i)
			switch {
			case !field.IsExported():
			case field.Type.Kind() == reflect.Struct:
				walk(v.Field(i), name+field.Name+".")
			default:
				n++
				if !listed[v.Field(i).Addr().Pointer()] {
					t.Errorf("%s%s is not in settings", name, field.Name)
				}
			}
		}
	}
	walk(reflect.ValueOf(&c).Elem(), "Config.")
	if n != len(c.settings()) {
		t.Errorf("%d fields, %d settings", n, len(c.settings()))
	}
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestAllowsPrivate(t *testing.T) {
	for _, c := range []struct {
		environ string
		want    bool
	}{
		{"", true}, {"PODMAIL_HTTP_LISTEN=[::1]:80", true}, {"PODMAIL_HTTP_LISTEN=localhost:80", true},
		{"PODMAIL_HTTP_LISTEN=:80", false}, {"PODMAIL_HTTP_LISTEN=10.0.0.1:80", false}, {"PODMAIL_HTTP_LISTEN=mail.example.com:80", false},
		{"PODMAIL_HTTP_LISTEN=:80 PODMAIL_WEBHOOKS_ALLOW_PRIVATE=true", true}, {"PODMAIL_WEBHOOKS_ALLOW_PRIVATE=false", false},
	} {
		cfg, err := Load(Sources{Environ: strings.Fields(c.environ)})
		if err != nil || cfg.AllowsPrivate() != c.want {
			t.Errorf("%q: %v, %v", c.environ, cfg.AllowsPrivate(), err)
		}
	}
}

func TestRelay(t *testing.T) {
	for text, want := range map[string]*mail.Relay{
		"":                              nil,
		"smtp://relay.test":             {Host: "relay.test", Port: "587"},
		"smtps://relay.test":            {Host: "relay.test", Port: "465", ImplicitTLS: true},
		"smtp://u%40x:p%3Aw@[::1]:2587": {Host: "::1", Port: "2587", Username: "u@x", Password: "p:w"},
	} {
		var r Relay
		if err := r.UnmarshalText([]byte(text)); err != nil {
			t.Errorf("%s: %v", text, err)
		}
		if diff := cmp.Diff(want, r.Relay()); diff != "" {
			t.Errorf("%s: %s", text, diff)
		}
		if strings.Contains(r.String(), "p%3Aw") {
			t.Errorf("shows the password: %s", r.String())
		}
	}
}
