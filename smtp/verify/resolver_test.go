package verify_test

import (
	"bytes"
	"log/slog"
	"net"
	"strings"
	"testing"

	mdns "github.com/miekg/dns"

	"podmail/mail"
	"podmail/server/dns"
	"podmail/smtp/verify"
)

// TestFailuresAreToldPlainly: why nothing is known is shown to users, which resolver failed how is logged.
func TestFailuresAreToldPlainly(t *testing.T) {
	signed := sign(t, job{Kind: "dkim", Message: []byte(dinner), Selector: "r", Domain: "football.example.com", Key: pemOf(keys().rsa),
		Form: [2]string{"relaxed", "relaxed"}, Algorithm: "rsa-sha256"})[0]
	broken := map[string][]record{}
	for _, name := range []string{"example.org", "mail.example.org", "r._domainkey.football.example.com", "_dmarc.football.example.com", "1.2.0.192.in-addr.arpa"} {
		broken[name+"."] = []record{{kind: mdns.TypeANY}}
	}
	silent, err := net.ListenPacket("udp", "127.0.0.1:0") // closed: whoever asks there is told so at once
	if err != nil {
		t.Fatal(err)
	}
	silent.Close()
	for server, says := range map[string]string{serve(t, broken): "DNS answers SERVFAIL when asked for ", silent.LocalAddr().String(): "DNS does not answer when asked for "} {
		var log bytes.Buffer
		w := &world{v: verify.New(verify.Options{Resolver: dns.NewClient(server, false), Clock: fixed(now), Hostname: "mx.podmail.test", Log: slog.New(slog.NewTextHandler(&log, nil))})}
		a := w.check(t, signed)
		for asked, reason := range map[string]string{
			"PTR of 192.0.2.1": a.Reverse.Reason, "TXT of example.org": a.SPF.Reason, "TXT of mail.example.org": a.HELOSPF.Reason,
			"TXT of r._domainkey.football.example.com": a.DKIM[0].Reason, "TXT of _dmarc.football.example.com": a.DMARC.Reason,
		} {
			if reason != says+asked {
				t.Errorf("%q, want %q", reason, says+asked)
			}
		}
		if a.DMARC.Result != mail.AuthTempError || a.DKIM[0].Result != mail.AuthTempError {
			t.Errorf("%+v", a)
		}
		if n := strings.Count(log.String(), server); n < 5 {
			t.Errorf("the log names the resolver %d times: %s", n, log.String())
		}
	}
}
