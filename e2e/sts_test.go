package e2e

import (
	"fmt"
	"net"
	"net/http"
	"regexp"
	"testing"
)

// TestPoliciesHoldOverARestart sends to a domain whose MTA-STS policy its host breaks. After a restart it is held to the
// policy still, although somebody hides it.
func TestPoliciesHoldOverARestart(t *testing.T) {
	cert, key, _ := certificateFor(t, "mta-sts.there.example")
	t.Setenv("SSL_CERT_FILE", cert)
	names := serveDNS(t)
	port := freePort(t, "127.0.0.3")
	here := start(t, names.setting(), `hostname = "mx.here.example"`, `default_domain = "here.example"`, "delivery.mx_port = "+port)
	there := start(t, names.setting(), `hostname = "mx.there.example"`, `default_domain = "there.example"`, `smtp.listen = "127.0.0.3:`+port+`"`)
	const hosts = `
there.example. 60 IN MX 10 mx.there.example.
mx.there.example. 60 IN A 127.0.0.3
`
	names.publish(hosts + `
_mta-sts.there.example. 60 IN TXT "v=STSv1; id=1;"
mta-sts.there.example. 60 IN A 127.0.0.4
`)
	listener, err := net.Listen("tcp", "127.0.0.4:443")
	if err != nil {
		t.Fatal(err)
	}
	web := http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		fmt.Fprint(w, "version: STSv1\r\nmode: enforce\r\nmx: mx.there.example\r\nmax_age: 604800\r\n")
	})}
	go web.ServeTLS(listener, cert, key)
	t.Cleanup(func() { web.Close() })
	client := here.sdk(here.Key)
	client.call("inboxes.create", nil, arg{"username": "alice"})
	there.sdk(there.Key).call("inboxes.create", nil, arg{"username": "bob"})
	refused := func(name string) {
		t.Helper()
		client := here.sdk(here.Key)
		client.call("inboxes.messages.send", nil, "alice@here.example", arg{"to": []string{name + "@there.example"}, "subject": "Hello", "text": "Hi."})
		eventually(t, "the host is not trusted with it", func() error {
			if list := here.podmail("queue", "list"); !regexp.MustCompile(`alice@\S+ +` + name + `@there\.example .*MTA-STS`).MatchString(list) {
				return fmt.Errorf("%s", list)
			}
			return nil
		})
	}
	refused("bob")
	names.publish(hosts)
	web.Close()
	here.restart()
	refused("carol")
}
