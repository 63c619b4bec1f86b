package e2e

import (
	"strings"
	"testing"
)

// Domain is the client's type, as far as the tests look at it.
type Domain struct {
	PodID, DomainID, Status, Reason                     string
	FeedbackEnabled, SubdomainsEnabled, TrackingEnabled bool
	Records                                             []struct{ Type, Name, Value, Status, Reason string }
}

// TestCustomDomains: the client's every method for domains, at both scopes, with a nameserver that publishes exactly
// what the zone file says.
func TestCustomDomains(t *testing.T) {
	t.Parallel()
	names := serveDNS(t)
	podmail := start(t, names.setting(), `hostname = "mx.host.example"`)
	admin := podmail.sdk(podmail.Key)
	var acme Pod
	admin.call("pods.create", &acme, arg{"name": "Acme"})
	for name, scope := range map[string][]any{"shared.example": {}, "acme.example": {acme.PodID}} {
		prefix := "domains."
		if len(scope) > 0 {
			prefix = "pods.domains."
		}
		var d Domain
		do := func(method string, result any, args ...any) {
			t.Helper()
			admin.call(prefix+method, result, append(append([]any{}, scope...), args...)...)
		}
		get := func() {
			t.Helper()
			d = Domain{}
			do("get", &d, name)
		}
		names.publish(name + ". 60 IN MX 1 aspmx.l.google.com.")
		admin.refused(422, prefix+"create", append(append([]any{}, scope...), arg{"domain": name})...)
		names.publish("")
		do("create", &d, arg{"domain": name, "subdomainsEnabled": true})
		if d.DomainID != name || d.Status != "NOT_STARTED" || (d.PodID != "") != (len(scope) > 0) {
			t.Errorf("created: %+v", d)
		}
		admin.refused(403, prefix+"create", append(append([]any{}, scope...), arg{"domain": name})...)
		do("verify", nil, name)
		if get(); d.Status != "PENDING" || d.Reason != "dns_records_missing" {
			t.Errorf("with nothing published: %+v", d)
		}

		// What the zone file says is what must be there, the RSA key in two strings among it.
		var zone string
		do("getZoneFile", &zone, name)
		names.publish(zone + "\n" + name + ". 60 IN TXT \"v=spf1 -all\"")
		do("verify", nil, name)
		if get(); d.Status != "INVALID" || d.Reason != "dns_records_invalid" {
			t.Errorf("with two SPF records: %+v", d)
		}
		names.publish(zone)
		do("verify", nil, name)
		if get(); d.Status != "VERIFIED" {
			t.Errorf("with all published: %+v", d)
		}
		for _, r := range d.Records {
			if r.Status != "VALID" || r.Reason != "" {
				t.Errorf("the record %+v", r)
			}
		}
		if status, body := podmail.curl("POST", "/v0/domains/"+name+"/rotate-keys", podmail.Key, ""); status != 200 || strings.Count(body, `"reason":"next_key"`) != 2 {
			t.Errorf("new keys: %d %s", status, body)
		}
		if get(); d.Status != "VERIFIED" || len(d.Records) != 8 {
			t.Errorf("with new keys to publish: %+v", d)
		}
		do("update", &d, name, arg{"feedbackEnabled": true, "trackingEnabled": true})
		if d.Status != "PENDING" || !d.FeedbackEnabled || !d.SubdomainsEnabled || !d.TrackingEnabled {
			t.Errorf("updated: %+v", d)
		}
		var list struct{ Domains []Domain }
		if do("list", &list, arg{"limit": 10}); len(list.Domains) == 0 || list.Domains[0].DomainID != name {
			t.Errorf("listed: %+v", list)
		}
		if len(scope) == 0 {
			var link struct{ Supported bool }
			do("getSetupLink", &link, name)
			if link.Supported {
				t.Error("there is a setup link")
			}
		}

		// Its inboxes get mail from outside, at subdomains too, until the domain is deleted.
		for _, domain := range []string{name, "team." + name} {
			var inbox Inbox
			admin.call("pods.inboxes.create", &inbox, acme.PodID, arg{"username": "ann", "domain": domain})
			podmail.swaks(podmail.SMTP, "--from", "customer@elsewhere.example", "--to", "ann+x@"+strings.ToUpper(domain), "--h-Subject", "Hello", "--body", "there")
			if th := admin.onlyThread(inbox.InboxID, 1); th.Subject != "Hello" {
				t.Errorf("the thread: %+v", th)
			}
		}
		do("delete", nil, name)
		admin.refused(404, "inboxes.get", "ann@"+name)
		admin.refused(404, "inboxes.get", "ann@team."+name)
		admin.refused(404, prefix+"get", append(append([]any{}, scope...), name)...)
	}
	admin.call("pods.delete", nil, acme.PodID)
}
