package e2e

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/url"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/miekg/dns"
)

// dkimTool runs dkimpy over a message.
func dkimTool(t *testing.T, message string, args ...string) string {
	t.Helper()
	c := exec.Command("/usr/bin/python3", append([]string{"python/dkim_tool.py"}, args...)...)
	c.Stdin = strings.NewReader(message)
	return run(t, c)
}

// dkimKey makes a key that signs, and the TXT record that goes with it.
func dkimKey(t *testing.T) (file, record string) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	file = t.TempDir() + "/key.pem"
	writeFile(t, file, string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})))
	return file, "v=DKIM1; k=rsa; p=" + base64.StdEncoding.EncodeToString(public)
}

// texts are the TXT records that were published, by name, as JSON.
func (n *nameserver) texts() string {
	n.t.Helper()
	n.mu.Lock()
	defer n.mu.Unlock()
	all := map[string]string{}
	for _, rr := range n.records {
		if txt, ok := rr.(*dns.TXT); ok {
			all[strings.TrimSuffix(strings.ToLower(rr.Header().Name), ".")] = strings.Join(txt.Txt, "")
		}
	}
	b, err := json.Marshal(all)
	if err != nil {
		n.t.Fatal(err)
	}
	return string(b)
}

// TestForwarding has an inbox forward signed mail to two other hosts, Debian's Postfix and another Podmail, where the
// signature, the seal and SPF hold; what comes back finds its sender; and what goes round comes to an end.
func TestForwarding(t *testing.T) {
	t.Parallel()
	names := serveDNS(t)
	mx := freePort(t, "127.0.0.1", "127.0.0.2", "127.0.0.3")
	here := start(t, names.setting(), `hostname = "mx.here.example"`, `default_domain = "here.example"`, "delivery.mx_port = "+mx, `smtp.listen = "127.0.0.1:`+mx+`"`, `smtp.trusted = ""`)
	there := start(t, names.setting(), `hostname = "mx.there.example"`, `default_domain = "there.example"`, "delivery.mx_port = "+mx, `smtp.listen = "127.0.0.3:`+mx+`"`, `smtp.trusted = ""`)
	postfix := postfixAt(t, "127.0.0.2:"+mx, append(mailboxesFor(t, "far.example, sender.example", here.SMTP),
		"virtual_alias_maps = inline:{ { gone@far.example = gone@dead.example } }", "transport_maps = inline:{ { dead.example = error:5.1.1 no such person } }")...)
	key, record := dkimKey(t)
	names.publish(here.podmail("domain", "records") + `
mx.here.example. 60 IN A 127.0.0.1
there.example. 60 IN MX 10 mx.there.example.
mx.there.example. 60 IN A 127.0.0.3
far.example. 60 IN MX 10 postfix.far.example.
postfix.far.example. 60 IN A 127.0.0.2
sender.example. 60 IN MX 10 postfix.far.example.
sender.example. 60 IN TXT "v=spf1 ip4:127.0.0.2 -all"
_dmarc.sender.example. 60 IN TXT "v=DMARC1; p=reject; adkim=s"
s._domainkey.sender.example. 60 IN TXT "` + record[:200] + `" "` + record[200:] + `"
`)
	desk, bob := here.sdk(here.Key), there.sdk(there.Key)
	desk.call("inboxes.create", nil, arg{"username": "desk"})
	bob.call("inboxes.create", nil, arg{"username": "bob"})
	status, answer := here.curl("PUT", "/v0/inboxes/desk@here.example/forwarding", here.Key, `{"addresses": ["ann@far.example", "bob@there.example"]}`)
	if status != 200 || !strings.Contains(answer, `"keep_copy":true`) {
		t.Fatalf("%d %s", status, answer)
	}
	send := func(id string) {
		t.Helper()
		message := "From: Sue <sue@sender.example>\r\nTo: desk@here.example\r\nSubject: " + id + "\r\nMessage-ID: <" + id + "@sender.example>\r\n\r\nDear desk,  \r\n\r\nhello.\r\n"
		postfix.handWith(t, "<sue@sender.example>", "<desk@here.example>", dkimTool(t, message, "sign", "sender.example", "s", key)+"\n")
	}

	send("order")
	arrived := postfix.awaitMail(t, "Delivered-To: ann@far.example", "ARC-Seal: i=1;", "Delivered-To: desk@here.example", "Message-ID: <order@sender.example>")
	if got := dkimTool(t, strings.ReplaceAll(arrived, "\n", "\r\n"), "arc", names.texts()); !strings.HasPrefix(got, "pass") {
		t.Errorf("dkimpy says of the seal: %s\n%s", got, arrived)
	}
	for _, want := range []string{`(?m)^Return-Path: <SRS0=\w+=\w\w=sender\.example=sue@here\.example>$`, `ARC-Authentication-Results: i=1; mx\.here\.example;\n\tiprev=\w+ policy\.iprev=127\.0\.0\.2;\n\tspf=pass smtp\.mailfrom=sender\.example;\n\tdkim=pass header\.d=sender\.example`} {
		if !regexp.MustCompile(want).MatchString(arrived) {
			t.Errorf("no %s in\n%s", want, arrived)
		}
	}
	eventually(t, "what the other Podmail found", func() error {
		status, body := there.curl("GET", "/v0/inboxes/bob@there.example/messages/"+url.PathEscape("<order@sender.example>")+"/authentication", there.Key, "")
		for _, want := range []string{`"placement":"received"`, `"spf":{"result":"pass","domain":"here.example"`, `"dkim":[{"result":"pass","domain":"sender.example"`, `"arc":{"result":"pass","sealers":["here.example"],"origin":"pass"`, `"dmarc":{"result":"pass"`} {
			if !strings.Contains(body, want) {
				return fmt.Errorf("%d, no %s in %s", status, want, body)
			}
		}
		return nil
	})
	var kept Message
	desk.call("inboxes.messages.get", &kept, "desk@here.example", "<order@sender.example>")
	if want := []string{"received", "unread"}; !slices.Equal(kept.Labels, want) {
		t.Errorf("the copy is labelled %q", kept.Labels)
	}
	for _, command := range []string{"explain", "trace"} {
		eventually(t, "podmail "+command+" tells of both", func() error {
			told := here.podmail(command, "order@sender.example")
			if missing := notShown([]string{"ann@far.example", "delivered"}, told); missing != "" || !strings.Contains(told, "bob@there.example") {
				return fmt.Errorf("%s", told)
			}
			return nil
		})
	}

	here.podmail("forward", "set", "desk@here.example", "gone@far.example", "--no-copy")
	if list := here.podmail("forward", "list"); !regexp.MustCompile(`desk@here\.example +gone@far\.example +none +20`).MatchString(list) {
		t.Errorf("podmail forward list:\n%s", list)
	}
	send("lost")
	bounce := postfix.awaitMail(t, "Delivered-To: sue@sender.example", "Undelivered Mail Returned to Sender", "no such person", "<lost@sender.example>")
	if !strings.Contains(bounce, "Return-Path: <>\n") || !strings.Contains(bounce, "To: SRS0=") {
		t.Errorf("the bounce that found its sender:\n%s", bounce)
	}
	path := regexp.MustCompile(`SRS0=\S+@here\.example`).FindString(bounce)
	forged, err := swaksCommand(here.SMTP, "--from", "<>", "--to", strings.Replace(path, "=sue@", "=ceo@", 1)).CombinedOutput()
	if err == nil || !strings.Contains(string(forged), "550 5.1.1") {
		t.Errorf("a made-up address for bounces: %v %s", err, forged)
	}
	out, err := here.command("forward", "set", "desk@here.example", "desk+x@here.example").CombinedOutput()
	if err == nil || !strings.Contains(string(out), "is the inbox itself") {
		t.Errorf("to itself: %v %s", err, out)
	}

	here.podmail("forward", "set", "desk@here.example", "bob@there.example", "--no-copy")
	there.podmail("forward", "set", "bob@there.example", "desk@here.example", "--no-copy")
	send("round")
	eventually(t, "what goes round stays with bob, who was the last", func() error {
		ours, theirs := here.subjects("desk@here.example"), there.subjects("bob@there.example")
		if slices.Contains(ours, "round") || !slices.Contains(theirs, "round") {
			return fmt.Errorf("desk has %q, bob has %q", ours, theirs)
		}
		return nil
	})
	if told := there.podmail("explain", "round@sender.example"); !strings.Contains(told, "desk@here.example had it before") {
		t.Errorf("podmail explain:\n%s", told)
	}
	for _, p := range []*Podmail{here, there} {
		if list := p.podmail("queue", "list"); strings.Count(list, "\n") != 0 {
			t.Errorf("the queue still has\n%s", list)
		}
	}
	here.podmail("forward", "remove", "desk@here.example")
	if list := here.podmail("forward", "list"); strings.Count(list, "\n") != 0 {
		t.Errorf("podmail forward list:\n%s", list)
	}
}
