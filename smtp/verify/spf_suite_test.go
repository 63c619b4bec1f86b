package verify_test

import (
	"fmt"
	"io"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	mdns "github.com/miekg/dns"
	"gopkg.in/yaml.v3"

	"podmail/mail"
	"podmail/server/dns"
	"podmail/smtp/verify"
)

// section is one document of the suite: tests, and the zone that they look into.
type section struct {
	Description string
	Tests       map[string]struct {
		HELO, Host, MailFrom string
		Result               oneOrMore
		Explanation          string
	}
	ZoneData map[string][]yaml.Node
}

// oneOrMore are the results that are right.
type oneOrMore []string

func (o *oneOrMore) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode {
		*o = oneOrMore{n.Value}
		return nil
	}
	var all []string
	err := n.Decode(&all)
	*o = all
	return err
}

// suiteCases is how many cases the suite has.
const suiteCases = 203

// TestRFC7208Suite runs the openspf.org suite as Debian's python3-spf ships it, every case, against a real nameserver.
func TestRFC7208Suite(t *testing.T) {
	f, err := os.Open("testdata/rfc7208-tests.yml")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	cases := 0
	for d := yaml.NewDecoder(f); ; {
		var s section
		if err := d.Decode(&s); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		v := verify.New(verify.Options{Resolver: dns.NewClient(serve(t, suiteZone(t, s)), false), Clock: fixed(time.Unix(1, 0))})
		for name, c := range s.Tests {
			cases++
			t.Run(s.Description+"/"+name, func(t *testing.T) {
				check := v.Begin(t.Context(), verify.Peer{Remote: netip.MustParseAddr(c.Host), HELO: c.HELO, ReversePath: c.MailFrom})
				defer check.Close()
				got := check.Finish().SPF
				if !slices.Contains(c.Result, string(got.Result)) {
					t.Errorf("%s for %s from %s: %+v, want %v", c.Host, c.MailFrom, c.HELO, got, c.Result)
				}
				if got.Explanation != strings.ReplaceAll(c.Explanation, "DEFAULT", "") {
					t.Errorf("explanation %q, want %q", got.Explanation, c.Explanation)
				}
			})
		}
	}
	if cases != suiteCases {
		t.Errorf("%d cases were run, the suite has %d", cases, suiteCases)
	}
}

// fixed is a clock that stands.
type fixed time.Time

func (f fixed) Now() time.Time { return time.Time(f) }

var _ mail.Clock = fixed{}

// record is what a zone has at a name. A record without data stands for a server that does not answer.
type record struct {
	kind uint16
	rr   mdns.RR
}

// suiteZone reads the zone of a section. SPF records stand for TXT records, unless there are TXT records.
func suiteZone(t *testing.T, s section) map[string][]record {
	zone := map[string][]record{}
	for name, nodes := range s.ZoneData {
		name = strings.ToLower(strings.TrimSuffix(name, ".")) + "."
		hasTXT := false
		var spf []record
		for _, n := range nodes {
			if n.Kind == yaml.ScalarNode { // TIMEOUT
				zone[name] = append(zone[name], record{kind: mdns.TypeANY})
				continue
			}
			var entry map[string]yaml.Node
			if err := n.Decode(&entry); err != nil {
				t.Fatal(err)
			}
			for kind, value := range entry {
				hasTXT = hasTXT || kind == "TXT"
				r, ok := suiteRecord(t, name, kind, value)
				switch {
				case !ok:
				case kind == "SPF":
					spf = append(spf, r)
				default:
					zone[name] = append(zone[name], r)
				}
			}
		}
		if !hasTXT {
			zone[name] = append(zone[name], spf...)
		}
	}
	return zone
}

func suiteRecord(t *testing.T, name, kind string, value yaml.Node) (record, bool) {
	number := mdns.StringToType[kind]
	if kind == "SPF" {
		number = mdns.TypeTXT
	}
	if value.Value == "TIMEOUT" {
		return record{kind: number}, true
	}
	if value.Value == "NONE" {
		return record{}, false
	}
	head := mdns.RR_Header{Name: name, Rrtype: number, Class: mdns.ClassINET, Ttl: 60}
	var many []string
	_ = value.Decode(&many)
	switch kind {
	case "TXT", "SPF":
		if many == nil {
			many = []string{value.Value}
		}
		return record{number, &mdns.TXT{Hdr: head, Txt: slices.Concat(each(many, chunks)...)}}, true
	case "MX":
		var preference uint16
		fmt.Sscan(many[0], &preference)
		return record{number, &mdns.MX{Hdr: head, Preference: preference, Mx: mdns.Fqdn(many[1])}}, true
	case "A":
		return record{number, &mdns.A{Hdr: head, A: netip.MustParseAddr(value.Value).AsSlice()}}, true
	case "AAAA":
		return record{number, &mdns.AAAA{Hdr: head, AAAA: netip.MustParseAddr(value.Value).AsSlice()}}, true
	case "PTR":
		return record{number, &mdns.PTR{Hdr: head, Ptr: mdns.Fqdn(value.Value)}}, true
	case "CNAME":
		return record{number, &mdns.CNAME{Hdr: head, Target: mdns.Fqdn(value.Value)}}, true
	}
	t.Fatalf("a record %s", kind)
	return record{}, false
}

func each[T, U any](list []T, f func(T) U) (out []U) {
	for _, item := range list {
		out = append(out, f(item))
	}
	return out
}

// chunks cuts a text into what one string of a record holds, written as a zone file has it.
func chunks(s string) (out []string) {
	for len(s) > 255 {
		out, s = append(out, s[:255]), s[255:]
	}
	out = append(out, s)
	for i, c := range out {
		var b strings.Builder
		for _, x := range []byte(c) {
			if x < ' ' || x >= 0x7f || x == '\\' || x == '"' {
				fmt.Fprintf(&b, `\%03d`, x)
			} else {
				b.WriteByte(x)
			}
		}
		out[i] = b.String()
	}
	return out
}

// spaces undoes how the DNS library writes them.
var spaces = strings.NewReplacer(`\032`, " ", `\ `, " ")

// serve runs a nameserver over a zone and returns its address. Aliases are followed, as a recursive resolver does.
func serve(t testing.TB, zone map[string][]record) string {
	t.Helper()
	ready := make(chan struct{})
	s := &mdns.Server{Addr: "127.0.0.1:0", Net: "udp", NotifyStartedFunc: func() { close(ready) }, UDPSize: 4096}
	s.Handler = mdns.HandlerFunc(func(w mdns.ResponseWriter, q *mdns.Msg) {
		m := new(mdns.Msg)
		m.SetReply(q)
		name, kind := strings.ToLower(spaces.Replace(q.Question[0].Name)), q.Question[0].Qtype
		for range 5 {
			alias := ""
			for _, r := range zone[name] {
				switch {
				case r.rr == nil && (r.kind == kind || r.kind == mdns.TypeANY && len(m.Answer) == 0):
					m.Rcode = mdns.RcodeServerFailure
				case r.rr != nil && r.kind == kind:
					m.Answer = append(m.Answer, r.rr)
				case r.rr != nil && r.kind == mdns.TypeCNAME:
					m.Answer = append(m.Answer, r.rr)
					alias = strings.ToLower(r.rr.(*mdns.CNAME).Target)
				}
			}
			if name = alias; alias == "" {
				break
			}
		}
		if len(m.Answer) > 0 && m.Rcode == mdns.RcodeServerFailure && m.Answer[0].Header().Rrtype == kind {
			m.Rcode = mdns.RcodeSuccess
		}
		if len(m.Answer) == 0 && m.Rcode == mdns.RcodeSuccess && zone[strings.ToLower(spaces.Replace(q.Question[0].Name))] == nil {
			m.Rcode = mdns.RcodeNameError
		}
		w.WriteMsg(m)
	})
	done := make(chan error, 1)
	go func() { done <- s.ListenAndServe() }()
	<-ready
	t.Cleanup(func() {
		s.Shutdown()
		<-done
	})
	return s.PacketConn.LocalAddr().String()
}
