package wire

import (
	"encoding/binary"
	"errors"
	"io"
	"net/netip"
	"strings"
)

// ErrProxyHeader tells of a connection that does not begin with the PROXY header that it must begin with.
var ErrProxyHeader = errors.New("no well-formed PROXY header")

const proxySignature = "\r\n\r\n\x00\r\nQUIT\n"

// The bounds of both versions of the header: version 1 has one line of at most 107 bytes, and what a proxy adds to
// version 2's addresses (names, certificates' fields) is far below this.
const (
	maxProxyLine = 107
	maxProxyData = 4 << 10
)

// ReadProxyHeader reads a PROXY header, version 1 or 2, and not a byte more. The client is not valid if the proxy speaks
// for itself or does not know who its client is.
func ReadProxyHeader(r io.Reader) (client netip.AddrPort, err error) {
	head := make([]byte, len(proxySignature)) // version 1's shortest header is longer
	if _, err := io.ReadFull(r, head); err != nil {
		return client, errors.Join(ErrProxyHeader, err)
	}
	if string(head) == proxySignature {
		return readProxyV2(r)
	}
	return readProxyV1(r, head)
}

func readProxyV1(r io.Reader, head []byte) (client netip.AddrPort, err error) {
	line := head
	one := make([]byte, 1)
	for !strings.HasSuffix(string(line), "\r\n") {
		if len(line) == maxProxyLine || !strings.HasPrefix(string(line), "PROXY ") {
			return client, ErrProxyHeader
		}
		if _, err := io.ReadFull(r, one); err != nil {
			return client, errors.Join(ErrProxyHeader, err)
		}
		line = append(line, one[0])
	}
	f := strings.Split(strings.TrimSuffix(string(line), "\r\n"), " ")
	if len(f) >= 2 && f[1] == "UNKNOWN" {
		return client, nil
	}
	if len(f) != 6 || f[1] != "TCP4" && f[1] != "TCP6" {
		return client, ErrProxyHeader
	}
	client, err = netip.ParseAddrPort(joinHostPort(f[2], f[4]))
	if err != nil || client.Addr().Zone() != "" || client.Addr().Is4() != (f[1] == "TCP4") {
		return netip.AddrPort{}, ErrProxyHeader
	}
	return unmapped(client), nil
}

func joinHostPort(host, port string) string {
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	return host + ":" + port
}

func readProxyV2(r io.Reader) (client netip.AddrPort, err error) {
	head := make([]byte, 4)
	if _, err := io.ReadFull(r, head); err != nil {
		return client, errors.Join(ErrProxyHeader, err)
	}
	length := int(binary.BigEndian.Uint16(head[2:]))
	if head[0]>>4 != 2 || head[0]&15 > 1 || length > maxProxyData {
		return client, ErrProxyHeader
	}
	data := make([]byte, length)
	if _, err := io.ReadFull(r, data); err != nil {
		return client, errors.Join(ErrProxyHeader, err)
	}
	if head[0]&15 == 0 { // LOCAL: the proxy's own, such as a health check
		return client, nil
	}
	switch family := head[1] >> 4; {
	case family == 1 && length >= 12:
		client = netip.AddrPortFrom(netip.AddrFrom4([4]byte(data)), binary.BigEndian.Uint16(data[8:]))
	case family == 2 && length >= 36:
		client = netip.AddrPortFrom(netip.AddrFrom16([16]byte(data)), binary.BigEndian.Uint16(data[32:]))
	case family == 1 || family == 2:
		return client, ErrProxyHeader
	}
	return unmapped(client), nil
}

func unmapped(a netip.AddrPort) netip.AddrPort { return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()) }
