package e2e

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
)

// TestMailTakesItsRoute has one pod's mail leave by a smarthost, under another name and from another address, beside the
// running server; that of others goes on as before.
func TestMailTakesItsRoute(t *testing.T) {
	t.Parallel()
	names := serveDNS(t)
	port := freePort(t, "127.0.0.2", "127.0.0.3")
	here := start(t, names.setting(), `hostname = "mx.here.example"`, `default_domain = "here.example"`, "delivery.mx_port = 1")
	smart := start(t, names.setting(), `hostname = "smart.example"`, `default_domain = "there.example"`, "delivery.mx_port = "+port, `smtp.listen = "127.0.0.3:`+port+`"`)
	names.publish(`
there.example. 60 IN MX 10 mx.there.example.
mx.there.example. 60 IN A 127.0.0.9
`)
	client, bob := here.sdk(here.Key), smart.sdk(smart.Key)
	var pod Pod
	client.call("pods.create", &pod, arg{"name": "Acme", "clientId": "acme"})
	client.call("pods.inboxes.create", nil, pod.PodID, arg{"username": "alice"})
	client.call("inboxes.create", nil, arg{"username": "carol"})
	bob.call("inboxes.create", nil, arg{"username": "bob"})

	here.podmail("route", "set", "--pod", "acme", "--relay", "smtp://127.0.0.3:"+port, "--helo", "mx7.acme.example")
	here.podmail("route", "set", "--pod", "acme", "--source", "127.0.0.7")
	var sent Sent
	client.call("inboxes.messages.send", &sent, "alice@here.example", arg{"to": []string{"bob@there.example"}, "subject": "By the smarthost", "text": "Hi."})
	client.call("inboxes.messages.send", nil, "carol@here.example", arg{"to": []string{"bob@there.example"}, "subject": "Directly", "text": "Hi."})
	raw := string(bob.raw("bob@there.example", bob.onlyThread("bob@there.example", 1).Messages[0].MessageID))
	if !regexp.MustCompile(`(?s)Received: from mx7\.acme\.example \(.*127\.0\.0\.7`).MatchString(raw) {
		t.Errorf("it came otherwise:\n%s", raw)
	}
	eventually(t, "what is sent directly cannot be delivered", func() error {
		if list := here.podmail("queue", "list"); !regexp.MustCompile(`carol@here\.example +bob@there\.example .*refused`).MatchString(list) || strings.Contains(list, "alice@") {
			return fmt.Errorf("%s", list)
		}
		return nil
	})

	secret := here.command("route", "set", "--domain", "here.example", "--relay", "-", "--helo", "")
	secret.Stdin = strings.NewReader("smtps://carol:s3cret@smart.example\n")
	run(t, secret)
	list := here.podmail("route", "list")
	for _, row := range []string{`domain +here\.example +smtps://smart\.example:465 +carol +- +- `, `pod +` + pod.PodID + ` +smtp://127\.0\.0\.3:` + port + ` +- +mx7\.acme\.example +127\.0\.0\.7 `} {
		if !regexp.MustCompile(row).MatchString(list) {
			t.Errorf("%s is not in\n%s", row, list)
		}
	}
	for _, c := range []struct{ args, want string }{
		{"--pod acme --relay http://user:s3cret@x.example", "a relay is "},
		{"--pod acme --source here", "--source must be "},
		{"--pod nobody --helo x.example", "not found"},
		{"--domain far.example --helo x.example", "Register far.example first"},
		{"--helo x.example", "--pod"},
	} {
		out, err := here.command(append([]string{"route", "set"}, strings.Fields(c.args)...)...).CombinedOutput()
		if err == nil || !strings.Contains(string(out), c.want) || strings.Contains(string(out), "s3cret") {
			t.Errorf("route set %s: %v\n%s", c.args, err, out)
		}
	}
	if status, answer := here.curl("PATCH", "/v0/routes/domain/here.example", here.Key, `{"relay": "smtp://dave:s3cret@smart.example", "source": "127.0.0.8"}`); status != 200 || strings.Contains(answer, "s3cret") {
		t.Errorf("PATCH: %d %s", status, answer)
	}
	if list := here.podmail("route", "list"); !regexp.MustCompile(`domain +here\.example +smtp://smart\.example:587 +dave +- +127\.0\.0\.8 `).MatchString(list) {
		t.Errorf("what the API set:\n%s", list)
	}
	status, routes := here.curl("GET", "/v0/routes", here.Key, "")
	if status != 200 || !strings.Contains(routes, `"relay":"smtp://127.0.0.3:`+port+`","helo":"mx7.acme.example","source":"127.0.0.7"`) {
		t.Errorf("GET: %d %s", status, routes)
	}
	if strings.Contains(list+routes+here.log.String(), "s3cret") {
		t.Error("the password is shown")
	}
	here.podmail("route", "remove", "--pod", "acme")
	if status, answer := here.curl("DELETE", "/v0/routes/domain/here.example", here.Key, ""); status != 204 {
		t.Errorf("DELETE: %d %s", status, answer)
	}
	if list := here.podmail("route", "list"); strings.Count(list, "\n") != 0 {
		t.Errorf("routes are left:\n%s", list)
	}
}
