// Package dns asks the domain name system. Resolver is the seam: the network behind Client, or the map that tests hand
// to the server.
package dns

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/miekg/dns"
)

// Resolver looks records up. A name is given without a final dot. An empty list and no error mean that DNS answered, and
// that there is no such record; an error, that nothing can be said.
type Resolver interface {
	// LookupMX returns the hosts, without final dots, the most preferred first.
	LookupMX(ctx context.Context, name string) ([]string, error)
	// LookupTXT returns the texts, each with its strings joined.
	LookupTXT(ctx context.Context, name string) ([]string, error)
	// LookupCNAME returns the name that stands at name itself, without final dot; at most one by the rules of DNS.
	LookupCNAME(ctx context.Context, name string) ([]string, error)
}

const (
	tryTime    = 3 * time.Second // for one question to one server
	tries      = 2               // rounds over the servers
	udpSize    = 1232            // that passes without fragments, RFC 9715 3
	maxRecords = 100             // of an answer that are looked at
	maxText    = 64 << 10        // bytes of all TXT records of an answer
	resolvConf = "/etc/resolv.conf"
)

// Client asks recursive resolvers. It is safe for concurrent use.
type Client struct {
	servers func() ([]string, error)
}

// NewClient returns a client of the resolver at server, host:port; empty: of the system's.
func NewClient(server string) *Client {
	if server != "" {
		return &Client{servers: func() ([]string, error) { return []string{server}, nil }}
	}
	return &Client{servers: systemServers}
}

// systemServers reads the file at every question: it changes when a machine joins another network.
func systemServers() ([]string, error) {
	conf, err := dns.ClientConfigFromFile(resolvConf)
	if err != nil {
		return nil, fmt.Errorf("no resolver: %w; set dns.resolver", err)
	}
	if len(conf.Servers) == 0 {
		return nil, fmt.Errorf("%s names no resolver; set dns.resolver", resolvConf)
	}
	servers := make([]string, len(conf.Servers))
	for i, s := range conf.Servers {
		servers[i] = net.JoinHostPort(s, conf.Port)
	}
	return servers, nil
}

// LookupMX implements Resolver.
func (c *Client) LookupMX(ctx context.Context, name string) (hosts []string, err error) {
	var records []*dns.MX
	err = c.lookup(ctx, name, dns.TypeMX, func(rr dns.RR) {
		if mx, ok := rr.(*dns.MX); ok {
			records = append(records, mx)
		}
	})
	sortMX(records)
	for _, mx := range records {
		hosts = append(hosts, bare(mx.Mx))
	}
	return hosts, err
}

// LookupTXT implements Resolver.
func (c *Client) LookupTXT(ctx context.Context, name string) (texts []string, err error) {
	size := 0
	err = c.lookup(ctx, name, dns.TypeTXT, func(rr dns.RR) {
		if txt, ok := rr.(*dns.TXT); ok {
			text := unescape(strings.Join(txt.Txt, ""))
			if size += len(text); size <= maxText {
				texts = append(texts, text)
			}
		}
	})
	return texts, err
}

// LookupCNAME implements Resolver.
func (c *Client) LookupCNAME(ctx context.Context, name string) (targets []string, err error) {
	err = c.lookup(ctx, name, dns.TypeCNAME, func(rr dns.RR) {
		if cname, ok := rr.(*dns.CNAME); ok && strings.EqualFold(bare(cname.Hdr.Name), name) {
			targets = append(targets, bare(cname.Target))
		}
	})
	return targets, err
}

// lookup asks for records of a type at name, or at what name is an alias of: a recursive resolver answers with the whole
// chain (RFC 1034 4.3.2).
func (c *Client) lookup(ctx context.Context, name string, kind uint16, each func(dns.RR)) error {
	question := new(dns.Msg)
	question.SetQuestion(dns.Fqdn(name), kind)
	question.SetEdns0(udpSize, false)
	answer, err := c.ask(ctx, question)
	if err != nil {
		return fmt.Errorf("look up %s %s: %w", dns.TypeToString[kind], name, err)
	}
	for i, rr := range answer.Answer {
		if i == maxRecords {
			break
		}
		each(rr)
	}
	return nil
}

// ask asks each server in turn until one answers for sure.
func (c *Client) ask(ctx context.Context, question *dns.Msg) (*dns.Msg, error) {
	servers, err := c.servers()
	if err != nil {
		return nil, err
	}
	var failures []error
	for range tries {
		for _, server := range servers {
			answer, err := exchange(ctx, question, server)
			if err == nil {
				return answer, nil
			}
			failures = append(failures, err)
			if ctx.Err() != nil {
				return nil, errors.Join(failures...)
			}
		}
	}
	return nil, errors.Join(failures...)
}

// exchange asks one server: over UDP, and again over TCP if the answer did not fit (RFC 7766 5).
func exchange(ctx context.Context, question *dns.Msg, server string) (*dns.Msg, error) {
	for _, network := range []string{"udp", "tcp"} {
		client := dns.Client{Net: network, Timeout: tryTime}
		question.Id = dns.Id()
		answer, _, err := client.ExchangeContext(ctx, question, server)
		if err != nil {
			return nil, fmt.Errorf("%s/%s: %w", server, network, err)
		}
		if answer.Truncated && network == "udp" {
			continue
		}
		if answer.Rcode != dns.RcodeSuccess && answer.Rcode != dns.RcodeNameError {
			return nil, fmt.Errorf("%s answers %s", server, dns.RcodeToString[answer.Rcode])
		}
		return answer, nil
	}
	return nil, fmt.Errorf("%s: the answer is cut off", server)
}
