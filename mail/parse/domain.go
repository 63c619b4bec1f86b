package parse

import (
	"strings"

	"golang.org/x/net/idna"
)

// lenient maps letters as a look-up does (RFC 5895), and lets pass what no host name may have.
var lenient = idna.New(idna.MapForLookup(), idna.StrictDomainName(false))

// Domain is the form in which a domain is compared and looked up: in ASCII, lower case, without a dot at its end. What
// has none keeps its spelling.
func Domain(s string) string {
	s = strings.TrimRight(dots.Replace(strings.ToLower(s)), ".")
	if ascii, err := idna.Lookup.ToASCII(s); err == nil {
		return strings.TrimRight(ascii, ".")
	}
	labels := strings.Split(s, ".")
	for i, label := range labels {
		if ascii, err := lenient.ToASCII(label); err == nil {
			labels[i] = ascii
		}
	}
	return strings.TrimRight(strings.Join(labels, "."), ".")
}
