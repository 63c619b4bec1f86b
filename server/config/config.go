// Package config is the operator's settings: what there is, what may stand in each, where each one came from.
//
// Values come from the built-in defaults, a TOML file, the environment and the command line, the later over the
// earlier. Whatever is wrong is an error that names the file and line or the variable, and says what is allowed.
// A setting stands here only once something obeys it.
package config

import (
	"encoding"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
)

// Config is every setting. The comments name the keys; config.example.toml explains them.
type Config struct {
	Hostname      Domain  // hostname
	DataDir       Path    // data_dir
	DefaultDomain Domain  // default_domain
	Postmaster    Mailbox // postmaster
	SMTP          SMTP
	IMAP          IMAP
	HTTP          HTTP
	TLS           TLS
	DNS           DNS
	Webhooks      Webhooks
	Agent         Agent
	Delivery      Delivery
	Sending       Sending
	Limits        Limits
	Metrics       Metrics

	sources map[string]string // key to where its value came from; absent: the default
}

// SMTP is where mail comes in.
type SMTP struct {
	Listen         Listener // smtp.listen
	Submission     Listener // smtp.submission
	SubmissionTLS  Listener // smtp.submission_tls
	MaxMessageSize Size     // smtp.max_message_size
	ProxyNetworks  Networks // smtp.proxy_networks

	Trusted         Networks // smtp.trusted
	Unauthenticated Handling // smtp.unauthenticated
	TrustedSealers  Domains  // smtp.trusted_sealers
	BlockLists      Domains  // smtp.dnsbl
	Greylist        Switch   // smtp.greylist
	DMARCReports    Switch   // smtp.dmarc_reports
	ClamAV          Daemon   // smtp.clamav
	Rspamd          Address  // smtp.rspamd
}

// Metrics is where the operator's monitoring asks.
type Metrics struct {
	Listen Listener // metrics.listen
}

// IMAP is where mail programs read.
type IMAP struct {
	Listen    Listener // imap.listen
	ListenTLS Listener // imap.listen_tls
}

// HTTP is where programs call.
type HTTP struct {
	Listen     Listener // http.listen
	PublicURL  Origin   // http.public_url
	MaxRequest Size     // http.max_request
	MaxFetched Size     // http.max_fetched

	RequestsPerSecond Limit // http.requests_per_second
}

// Agent is what agents may do without anybody's key.
type Agent struct {
	SignUp Switch // agent.sign_up
}

// Webhooks is what users may make the server call.
type Webhooks struct {
	AllowPrivate Switch // webhooks.allow_private
}

// TLS is the certificate for SMTP and IMAP.
type TLS struct {
	Cert File // tls.cert
	Key  File // tls.key
}

// DNS is how names are looked up.
type DNS struct {
	Resolver Address // dns.resolver
	Trusted  Switch  // dns.trusted
}

// Default is what holds where nothing else is said.
func Default() Config {
	return Config{
		Hostname:      "localhost",
		DataDir:       "data",
		DefaultDomain: "podmail.localhost",
		SMTP:          SMTP{Listen: "127.0.0.1:2525", Submission: "127.0.0.1:2587", MaxMessageSize: 50 << 20, Trusted: "127.0.0.0/8, ::1", Unauthenticated: Keep},
		IMAP:          IMAP{Listen: "127.0.0.1:2143"},
		HTTP:          HTTP{Listen: "127.0.0.1:8080", MaxRequest: 6_000_000, MaxFetched: 30_000_000, RequestsPerSecond: 5000},
		Delivery:      Delivery{MXPort: 25, Transfers: 100, PerDestination: 20},
		Sending:       Sending{InboxPerDay: 1_000_000},
		Limits:        defaultLimits(),
		sources:       map[string]string{},
	}
}

// value is what a setting holds: it reads itself, and says what it takes.
type value interface {
	encoding.TextUnmarshaler
	fmt.Stringer
	allowed() string
}

// setting is one line of the table of all settings.
type setting struct {
	key   string
	value value
}

// variable is the setting's name in the environment.
func (s setting) variable() string {
	return "PODMAIL_" + strings.ToUpper(strings.ReplaceAll(s.key, ".", "_"))
}

// settings is the table of all settings, over the values of c.
func (c *Config) settings() []setting {
	return append([]setting{
		{"hostname", &c.Hostname},
		{"data_dir", &c.DataDir},
		{"default_domain", &c.DefaultDomain},
		{"postmaster", &c.Postmaster},
		{"smtp.listen", &c.SMTP.Listen},
		{"smtp.submission", &c.SMTP.Submission},
		{"smtp.submission_tls", &c.SMTP.SubmissionTLS},
		{"smtp.max_message_size", &c.SMTP.MaxMessageSize},
		{"smtp.proxy_networks", &c.SMTP.ProxyNetworks},
		{"smtp.trusted", &c.SMTP.Trusted},
		{"smtp.unauthenticated", &c.SMTP.Unauthenticated},
		{"smtp.trusted_sealers", &c.SMTP.TrustedSealers},
		{"smtp.dnsbl", &c.SMTP.BlockLists},
		{"smtp.greylist", &c.SMTP.Greylist},
		{"smtp.dmarc_reports", &c.SMTP.DMARCReports},
		{"smtp.clamav", &c.SMTP.ClamAV},
		{"smtp.rspamd", &c.SMTP.Rspamd},
		{"imap.listen", &c.IMAP.Listen},
		{"imap.listen_tls", &c.IMAP.ListenTLS},
		{"http.listen", &c.HTTP.Listen},
		{"http.public_url", &c.HTTP.PublicURL},
		{"http.max_request", &c.HTTP.MaxRequest},
		{"http.max_fetched", &c.HTTP.MaxFetched},
		{"http.requests_per_second", &c.HTTP.RequestsPerSecond},
		{"tls.cert", &c.TLS.Cert},
		{"tls.key", &c.TLS.Key},
		{"dns.resolver", &c.DNS.Resolver},
		{"dns.trusted", &c.DNS.Trusted},
		{"webhooks.allow_private", &c.Webhooks.AllowPrivate},
		{"agent.sign_up", &c.Agent.SignUp},
		{"metrics.listen", &c.Metrics.Listen},
	}, slices.Concat(c.Delivery.settings(), c.Sending.settings(), c.Limits.settings())...)
}

// Sources is where Load looks, beside the defaults.
type Sources struct {
	File    string   // a TOML file; empty: none
	Environ []string // as os.Environ gives it
	DataDir string   // from the command line; empty: not given
}

// Load reads the settings. Its error names everything that is wrong in the first source that has something wrong.
func Load(s Sources) (Config, error) {
	c := Default()
	if s.File != "" {
		if err := c.readFile(s.File); err != nil {
			return Config{}, err
		}
	}
	if err := c.readEnvironment(s.Environ); err != nil {
		return Config{}, err
	}
	if s.DataDir != "" {
		c.DataDir = Path(s.DataDir)
		c.sources["data_dir"] = "--data"
	}
	return c, c.check()
}

func (c *Config) readEnvironment(environ []string) error {
	var errs []error
	for _, s := range c.settings() {
		for _, entry := range environ {
			if text, ok := strings.CutPrefix(entry, s.variable()+"="); ok {
				errs = append(errs, c.set(s, text, s.variable()))
			}
		}
	}
	return errors.Join(errs...)
}

// set gives a setting the value that source has for it.
func (c *Config) set(s setting, text, source string) error {
	if err := s.value.UnmarshalText([]byte(text)); err != nil {
		if _, secret := s.value.(*Relay); secret { // there may be a password in it
			return wrong(s, source, "what is there")
		}
		return wrong(s, source, fmt.Sprintf("%q", text))
	}
	c.sources[s.key] = source
	return nil
}

func wrong(s setting, source, got string) error {
	name := source
	if source != s.variable() {
		name += ": " + s.key
	}
	return fmt.Errorf("%s must be %s, not %s", name, s.value.allowed(), got)
}

// Strays are the variables that look like ours and name no setting: probably misspelt.
func Strays(environ []string) (names []string) {
	known := map[string]bool{"PODMAIL_CONFIG": true}
	c := Default()
	for _, s := range c.settings() {
		known[s.variable()] = true
	}
	for _, entry := range environ {
		name, _, _ := strings.Cut(entry, "=")
		if strings.HasPrefix(name, "PODMAIL_") && !known[name] {
			names = append(names, name)
		}
	}
	return names
}

// check finds settings that do not go together.
func (c *Config) check() error {
	var errs []error
	complain := func(key, format string, args ...any) {
		errs = append(errs, fmt.Errorf("%s %s", c.Name(key), fmt.Sprintf(format, args...)))
	}
	if c.HTTP.Listen == "" {
		complain("http.listen", "must not be empty: without the API nothing can be set up")
	}
	if c.TLS.Cert == "" && c.TLS.Key != "" {
		complain("tls.key", "is set, so tls.cert must be set too")
	}
	if c.TLS.Key == "" && c.TLS.Cert != "" {
		complain("tls.cert", "is set, so tls.key must be set too")
	}
	if c.TLS.Cert == "" {
		if c.SMTP.SubmissionTLS != "" {
			complain("smtp.submission_tls", "needs a certificate: set tls.cert and tls.key too, or leave it empty")
		}
		if c.IMAP.ListenTLS != "" {
			complain("imap.listen_tls", "needs a certificate: set tls.cert and tls.key too, or leave it empty")
		}
	}
	return errors.Join(errs...)
}

// Name is how to speak of a setting in a message: its key, and where its value came from, or else what it is called in
// the environment.
func (c *Config) Name(key string) string {
	source := c.sources[key]
	switch {
	case source == "":
		return key + " (" + setting{key: key}.variable() + ")"
	case source == (setting{key: key}).variable():
		return source
	default:
		return source + ": " + key
	}
}

// PublicOrigin is http.public_url, or what follows from the address that the HTTP listener has got. Who listens
// everywhere is reached by hostname.
func (c *Config) PublicOrigin(listening net.Addr) string {
	if c.HTTP.PublicURL != "" {
		return string(c.HTTP.PublicURL)
	}
	host, port, err := net.SplitHostPort(listening.String())
	if err != nil {
		return "http://" + listening.String()
	}
	if ip := net.ParseIP(host); host == "" || ip.IsUnspecified() {
		host = string(c.Hostname)
	}
	return "http://" + net.JoinHostPort(host, port)
}

// AllowsPrivate tells whether URLs that users give may lead to private addresses. Where nothing is set they may if the
// users are on this machine themselves, since only there the API listens.
func (c *Config) AllowsPrivate() bool {
	if c.sources["webhooks.allow_private"] != "" {
		return bool(c.Webhooks.AllowPrivate)
	}
	host, _, err := net.SplitHostPort(string(c.HTTP.Listen))
	return err == nil && (host == "localhost" || net.ParseIP(host).IsLoopback())
}
