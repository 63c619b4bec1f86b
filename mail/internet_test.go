package mail

import (
	"net/netip"
	"strings"
	"testing"
)

func TestIsPublic(t *testing.T) {
	for _, c := range []struct {
		addresses string
		want      bool
	}{
		{"8.8.8.8 1.1.1.1 100.63.255.255 100.128.0.0 172.15.0.1 172.32.0.1 192.167.0.1 198.20.0.1 223.255.255.1", true},
		{"2606:4700::1111 2a00:1450::1 64:ff9b::808:808 2002:808:808::1", true},
		{"0.0.0.0 0.1.2.3 10.0.0.1 127.0.0.1 127.9.9.9 169.254.169.254 172.16.0.1 172.31.255.255 192.168.1.1", false},
		{"100.64.0.1 100.127.255.255 192.0.0.1 192.0.2.1 198.18.0.1 198.19.0.1 198.51.100.1 203.0.113.1 224.0.0.1 240.0.0.1 255.255.255.255", false},
		{":: ::1 ::ffff:127.0.0.1 ::ffff:10.0.0.1 ::7f00:1 fe80::1 fc00::1 fd12::1 ff02::1 fec0::1 2001:db8::1 2001::1 100::1 5f00::1", false},
		{"64:ff9b::7f00:1 64:ff9b::a00:1 64:ff9b:1::808:808 2002:7f00:1::1 2002:a00:1::1 2002:a9fe:a9fe::1", false},
	} {
		for a := range strings.FieldsSeq(c.addresses) {
			if got := IsPublic(netip.MustParseAddr(a)); got != c.want {
				t.Errorf("%s: %v", a, got)
			}
		}
	}
	if IsPublic(netip.MustParseAddr("fe80::1%eth0")) || IsPublic(netip.MustParseAddr("2606:4700::1%eth0")) || IsPublic(netip.Addr{}) {
		t.Error("a zone, or no address at all")
	}
}
