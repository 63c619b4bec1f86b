package verify_test

import (
	"net/netip"
	"reflect"
	"testing"

	"podmail/mail"
	"podmail/server/servertest"
	"podmail/smtp/verify"
)

func TestTheNameOfTheAddressMustHaveIt(t *testing.T) {
	w := newWorld()
	if got := w.check(t, dinner).Reverse; got.Result != mail.AuthPermError {
		t.Errorf("without a name: %+v", got)
	}
	w.Set("PTR", "192.0.2.1", "mail.example.org", "other.example.org")
	w.Set("A", "mail.example.org", "192.0.2.9")
	if got := w.check(t, dinner).Reverse; got.Result != mail.AuthFail || got.Name != "mail.example.org" {
		t.Errorf("a name of another address: %+v", got)
	}
	w.Set("A", "other.example.org", "192.0.2.8", "192.0.2.1")
	if got := w.check(t, dinner).Reverse; got.Result != mail.AuthPass || got.Name != "other.example.org" {
		t.Errorf("a second name: %+v", got)
	}
}

func TestBlockLists(t *testing.T) {
	z := servertest.NewZone()
	z.Set("A", "1.2.0.192.bad.example", "127.0.0.2")
	z.Set(mail.RecordTXT, "1.2.0.192.bad.example", "see https://bad.example/\r\n192.0.2.1")
	z.Set("A", "1.2.0.192.refusing.example", "127.255.255.254")
	z.Set("A", "1.2.0.192.parked.example", "198.51.100.1")
	z.Set("A", "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.bad.example", "127.0.0.3")
	v := verify.New(verify.Options{Resolver: z, Clock: fixed(now), BlockLists: []string{"good.example", "bad.example", "refusing.example", "parked.example"},
		Trusted: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	for address, want := range map[string][]mail.ListedAt{
		"192.0.2.1":   {{Zone: "bad.example", Reason: "see https://bad.example/??192.0.2.1"}},
		"2001:db8::1": {{Zone: "bad.example"}},
		"192.0.2.2":   nil,
	} {
		c := v.Begin(t.Context(), verify.Peer{Remote: netip.MustParseAddr(address)})
		if got := c.Finish().BlockLists; !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, want %+v", address, got, want)
		}
		c.Close()
	}
	for _, trusted := range []string{"127.0.0.1", "::ffff:127.0.0.1"} {
		if v.Begin(t.Context(), verify.Peer{Remote: netip.MustParseAddr(trusted)}) != nil {
			t.Errorf("%s is trusted, and checked", trusted)
		}
	}
}
