// Podmail is a whole mail platform in one binary and one database file.
//
// This package is the command line, and alone knows every room: serve, in this file, reads the settings, opens the
// file, puts the server between storage and the doors, starts them, and stops them in the opposite order; the operator's
// commands beside it work on the same file. What is decided is decided elsewhere.
package main

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/alecthomas/kong"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"golang.org/x/sync/errgroup"

	"podmail/imap"
	"podmail/mail"
	"podmail/mail/mtasts"
	"podmail/server"
	"podmail/server/config"
	"podmail/server/dns"
	"podmail/server/notify"
	"podmail/smtp"
	"podmail/smtp/scan"
	"podmail/smtp/verify"
	"podmail/storage"
	"podmail/web"
	"podmail/web/metrics"
	"podmail/web/webhook"
)

// commands is all that the program can be told to do.
type commands struct {
	flags

	Serve serveCommand `cmd:"" help:"Run the mail server: SMTP, IMAP and the HTTP API."`
	Key   struct {
		Create createKeyCommand `cmd:"" help:"Create an API key and print it, and nothing else, on standard output."`
		List   listKeysCommand  `cmd:"" help:"List the API keys."`
		Revoke revokeKeyCommand `cmd:"" help:"Revoke an API key at once."`
	} `cmd:"" help:"Create, list and revoke API keys; also while the server runs."`
	Queue   queueCommands  `cmd:"" help:"Look at the queue of outgoing mail, and change it; also while the server runs."`
	Pod     podCommands    `cmd:"" help:"Show and set how much a pod may send; also while the server runs."`
	Domain  domainCommands `cmd:"" help:"Tell what domains have to publish, and change their keys; also while the server runs."`
	Route   routeCommands  `cmd:"" help:"Say how mail of a pod, or from a domain, goes to other servers; also while the server runs."`
	Trace   traceCommand   `cmd:"" help:"Tell where a message is, and what became of it on its way; also while the server runs."`
	Explain explainCommand `cmd:"" help:"Tell what was found out about a message that came in, and why it is where it is; also while the server runs."`
	Version versionCommand `cmd:"" help:"Print the version."`
}

// flags are those of every command.
type flags struct {
	Config string `placeholder:"FILE" env:"PODMAIL_CONFIG" help:"Settings (TOML); see config.example.toml."`
	Data   string `placeholder:"DIR" help:"Folder of podmail.db; goes before data_dir and $$PODMAIL_DATA_DIR."`
}

func main() {
	syscall.Umask(0o077) // whatever we make holds other people's mail
	var c commands
	parser := kong.Must(&c, kong.Name("podmail"), kong.Description("A mail platform in one binary: pods, inboxes, SMTP, IMAP and an HTTP API."),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}))
	command, err := parser.Parse(os.Args[1:])
	if err != nil {
		fmt.Fprintf(os.Stderr, "podmail: %v\nTry podmail --help.\n", err)
		os.Exit(2)
	}
	if err := command.Run(&c.flags); err != nil {
		fmt.Fprintln(os.Stderr, "podmail:", explain(err))
		os.Exit(1)
	}
}

// explain words an error for the operator.
func explain(err error) string {
	e, ok := errors.AsType[*mail.Error](err)
	if !ok {
		return err.Error()
	}
	text := e.Message
	if e.Fix != "" {
		text += " " + e.Fix
	}
	if e.Code == mail.CodeUnavailable {
		text += fmt.Sprintf(" (%v)", e.Err)
	}
	return text
}

func (f *flags) load() (config.Config, error) {
	return config.Load(config.Sources{File: f.Config, Environ: os.Environ(), DataDir: f.Data})
}

type serveCommand struct{}

// How long stopping may take: for the sessions to end by themselves, and for everything.
const (
	goodbyeTime  = 5 * time.Second
	shutdownTime = 20 * time.Second
)

// Run serves until SIGINT or SIGTERM.
func (serveCommand) Run(f *flags) (err error) {
	cfg, err := f.load()
	if err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	for _, name := range config.Strays(os.Environ()) {
		log.Warn("environment variable names no setting", "variable", name)
	}
	ctx, release := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer release()
	certificate, err := loadCertificate(&cfg)
	if err != nil {
		return err
	}
	sockets, err := listen(&cfg, certificate)
	if err != nil {
		return err
	}
	defer closeAll(sockets)
	if err := os.MkdirAll(string(cfg.DataDir), 0o700); err != nil {
		return fmt.Errorf("%s: %w", cfg.Name("data_dir"), err)
	}
	store, err := storage.Open(ctx, storage.Options{Path: databasePath(&cfg), Exclusive: true, Log: log})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	origin := cfg.PublicOrigin(sockets["http.listen"].Addr())
	policies := server.NewPolicyBook(store, wallClock{}, log)
	known, err := policies.Known(ctx)
	if err != nil {
		return err
	}
	out := newCouriers(&cfg, known, policies.Keep, log)
	defer func() { err = errors.Join(err, out.close()) }()
	counted := prometheus.NewRegistry()
	counted.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	options := serverOptions(&cfg, store, origin, log)
	options.Courier, options.Poster = out.mail, out.posts
	options.TLSResults, options.Metrics = out.mail.TLSResults, counted
	srv := server.New(options)
	firstKey, err := srv.Bootstrap(ctx)
	if err != nil {
		return err
	}
	d := newDoors(&cfg, srv, certificate, origin, log, counted)
	return d.run(ctx, release, sockets, func() { welcome(firstKey, origin) })
}

// couriers are what carries out of the house: mail to other hosts, and events to webhooks.
type couriers struct {
	mail  *smtp.Courier
	posts *webhook.Poster
}

func newCouriers(cfg *config.Config, known []mtasts.Fetched, keep func(mtasts.Fetched), log *slog.Logger) *couriers {
	return &couriers{
		mail: smtp.NewCourier(smtp.CourierOptions{Resolver: dns.NewCache(newResolver(cfg), wallClock{}), Clock: wallClock{}, Random: rand.Reader, Log: log,
			Hostname: string(cfg.Hostname), Port: cfg.Delivery.MXPort.String(), AllowPrivate: cfg.DeliversToPrivate(), Policies: known, Keep: keep}),
		posts: webhook.NewPoster(wallClock{}, cfg.AllowsPrivate()),
	}
}

// close gives up the connections that are kept for more.
func (c *couriers) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), goodbyeTime)
	defer cancel()
	c.posts.Close()
	return c.mail.Close(ctx)
}

func newResolver(cfg *config.Config) dns.Resolver {
	return dns.NewClient(string(cfg.DNS.Resolver), bool(cfg.DNS.Trusted))
}

// serverOptions are those of a server that carries nothing out of the house, as the operator's commands need it.
func serverOptions(cfg *config.Config, store *storage.Store, origin string, log *slog.Logger) server.Options {
	return server.Options{
		Store: store, Hub: notify.NewHub(), Clock: wallClock{}, Random: rand.Reader, Resolver: newResolver(cfg), Log: log,
		Hostname: string(cfg.Hostname), DefaultDomain: string(cfg.DefaultDomain), PublicURL: origin,
		AgentSignUp: bool(cfg.Agent.SignUp), MaxMessageSize: int64(cfg.SMTP.MaxMessageSize), Postmaster: string(cfg.Postmaster),
		Intake:  server.IntakeRules{Greylist: bool(cfg.SMTP.Greylist), DMARCReports: bool(cfg.SMTP.DMARCReports), RefuseUnauthenticated: cfg.SMTP.Unauthenticated == config.Refuse, TrustedSealers: cfg.SMTP.TrustedSealers},
		Sending: sendingLimits(&cfg.Sending),
		Relay:   cfg.Delivery.Relay.Relay(), Queue: server.QueueLimits{Transfers: int(cfg.Delivery.Transfers), PerDestination: int(cfg.Delivery.PerDestination)},
	}
}

func sendingLimits(s *config.Sending) server.SendingLimits {
	rate := func(hour, day config.Allowance) mail.Rate { return mail.Rate{PerHour: int64(hour), PerDay: int64(day)} }
	return server.SendingLimits{Inbox: rate(s.InboxPerHour, s.InboxPerDay), Pod: rate(s.PodPerHour, s.PodPerDay), Organization: rate(s.OrganizationPerHour, s.OrganizationPerDay),
		NewPodPerDay: int64(s.NewPodPerDay)}
}

type wallClock struct{}

func (wallClock) Now() time.Time { return time.Now().UTC() }

func databasePath(cfg *config.Config) string { return filepath.Join(string(cfg.DataDir), "podmail.db") }

// loadCertificate returns nil if none is set.
func loadCertificate(cfg *config.Config) (*tls.Config, error) {
	if cfg.TLS.Cert == "" {
		return nil, nil
	}
	pair, err := tls.LoadX509KeyPair(string(cfg.TLS.Cert), string(cfg.TLS.Key))
	if err != nil {
		return nil, fmt.Errorf("%s and tls.key: %w", cfg.Name("tls.cert"), err)
	}
	return &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}, nil
}

// listen opens every socket that is set, by its setting's key. Nothing answers on them yet, but a port that is taken
// is known before anything is made on disk.
func listen(cfg *config.Config, certificate *tls.Config) (map[string]net.Listener, error) {
	sockets := map[string]net.Listener{}
	for key, address := range map[string]config.Listener{
		"smtp.listen": cfg.SMTP.Listen, "smtp.submission": cfg.SMTP.Submission, "smtp.submission_tls": cfg.SMTP.SubmissionTLS,
		"imap.listen": cfg.IMAP.Listen, "imap.listen_tls": cfg.IMAP.ListenTLS, "http.listen": cfg.HTTP.Listen,
		"metrics.listen": cfg.Metrics.Listen,
	} {
		if address == "" {
			continue
		}
		socket, err := net.Listen("tcp", string(address))
		if err != nil {
			closeAll(sockets)
			return nil, fmt.Errorf("%s: %w; set it to an address that is free", cfg.Name(key), err)
		}
		if key == "imap.listen_tls" { // SMTP puts TLS over what a proxy says first
			socket = tls.NewListener(socket, certificate)
		}
		sockets[key] = socket
	}
	return sockets, nil
}

func closeAll(sockets map[string]net.Listener) {
	for _, socket := range sockets {
		_ = socket.Close() // a door that served it has closed it already
	}
}

// doors are what the world talks to, over the one server.
type doors struct {
	server  *server.Server
	smtp    *smtp.Server
	imap    *imap.Server
	web     *web.Server
	metrics *metrics.Server
	log     *slog.Logger
}

// newScanner looks for viruses; nil if the operator has no daemon that does.
func newScanner(cfg *config.Config) *scan.Scanner {
	if cfg.SMTP.ClamAV == "" {
		return nil
	}
	return scan.New(string(cfg.SMTP.ClamAV))
}

// newFilter asks rspamd; nil if the operator has none.
func newFilter(cfg *config.Config) *scan.Rspamd {
	if cfg.SMTP.Rspamd == "" {
		return nil
	}
	return scan.NewRspamd(string(cfg.SMTP.Rspamd))
}

// newVerifier finds out who sends us mail. Its look-ups are remembered: a domain's records are needed with each message.
func newVerifier(cfg *config.Config) *verify.Verifier {
	resolver := dns.NewCache(newResolver(cfg), wallClock{})
	return verify.New(verify.Options{Resolver: resolver, Clock: wallClock{}, Hostname: string(cfg.Hostname), Trusted: cfg.SMTP.Trusted.Prefixes(), BlockLists: cfg.SMTP.BlockLists})
}

func newDoors(cfg *config.Config, srv *server.Server, certificate *tls.Config, origin string, log *slog.Logger, counted *prometheus.Registry) *doors {
	hostname := string(cfg.Hostname)
	return &doors{
		server: srv,
		smtp:   smtp.New(smtpOptions(cfg, srv, certificate, log, counted)),
		imap:   imap.New(imap.Options{Server: srv, Hostname: hostname, TLSConfig: certificate, Log: log}),
		web: web.New(web.Options{Server: srv, PublicURL: origin, Log: log, FetchDir: string(cfg.DataDir), AllowPrivate: cfg.AllowsPrivate(),
			Limits: web.Limits{MaxBody: int64(cfg.HTTP.MaxRequest), MaxFetched: int64(cfg.HTTP.MaxFetched), RequestsPerSecond: int(cfg.HTTP.RequestsPerSecond)}}),
		metrics: metrics.New(counted, log),
		log:     log,
	}
}

func smtpOptions(cfg *config.Config, srv *server.Server, certificate *tls.Config, log *slog.Logger, counted prometheus.Registerer) smtp.Options {
	l := &cfg.Limits
	return smtp.Options{Server: srv, Hostname: string(cfg.Hostname), TLSConfig: certificate, Log: log, Clock: wallClock{}, Metrics: counted, Verifier: newVerifier(cfg), Scanner: newScanner(cfg), Filter: newFilter(cfg),
		ProxyNetworks:  cfg.SMTP.ProxyNetworks.Prefixes(),
		MaxConnections: int(l.Connections), MaxPerIP: int(l.ConnectionsPerIP), MaxPerNetwork: int(l.ConnectionsPerNetwork),
		MessagesPerHour: int64(l.MessagesPerHour), RecipientsPerHour: int64(l.RecipientsPerHour), BytesPerHour: int64(l.BytesPerHour),
		MaxRecipients: int(l.Recipients), MaxHeaderSize: int64(l.HeaderSize), MaxErrors: int(l.Errors), MaxLoginFailures: int(l.FailedLogins),
		CommandTime: time.Duration(l.CommandTime), StallTime: time.Duration(l.StallTime), BodyTime: time.Duration(l.BodyTime)}
}

// run answers on the sockets until ctx ends or a door fails, and stops everything then. release gives signals back
// their usual effect: a second one ends the process on the spot.
func (d *doors) run(ctx context.Context, release func(), sockets map[string]net.Listener, ready func()) error {
	work, stopWork := context.WithCancel(context.WithoutCancel(ctx))
	defer stopWork()
	worked := make(chan error, 1)
	go func() { worked <- d.server.Run(work) }()

	serving, ctx := errgroup.WithContext(ctx)
	serveOn := map[string]func(net.Listener) error{
		"smtp.listen": d.smtp.ServeMX, "smtp.submission": d.smtp.ServeSubmission, "smtp.submission_tls": d.smtp.ServeSubmissionTLS,
		"imap.listen": d.imap.Serve, "imap.listen_tls": d.imap.Serve, "http.listen": d.web.Serve,
		"metrics.listen": d.metrics.Serve,
	}
	for key, socket := range sockets {
		d.log.Info("listening", "setting", key, "address", socket.Addr().String())
		serving.Go(func() error {
			if err := serveOn[key](socket); ctx.Err() == nil {
				return fmt.Errorf("%s stopped answering: %w", key, err)
			}
			return nil
		})
	}
	ready()
	d.log.Info("ready")
	<-ctx.Done()

	d.log.Info("stopping; a second signal stops at once")
	release()
	time.AfterFunc(shutdownTime, func() {
		d.log.Error("stopping took too long; what was answered is on disk all the same")
		os.Exit(1)
	})
	d.close()
	stopWork()
	err := errors.Join(serving.Wait(), <-worked)
	d.log.Info("stopped")
	return err
}

// close says goodbye to every session, and cuts off those that stay.
func (d *doors) close() {
	ctx, cancel := context.WithTimeout(context.Background(), goodbyeTime)
	defer cancel()
	var closing errgroup.Group
	for name, shutdown := range map[string]func(context.Context) error{
		"smtp": d.smtp.Shutdown, "imap": d.imap.Shutdown, "http": d.web.Shutdown, "metrics": d.metrics.Shutdown,
	} {
		closing.Go(func() error {
			if err := shutdown(ctx); err != nil {
				d.log.Warn("sessions were cut off", "door", name, "error", err)
			}
			return nil
		})
	}
	_ = closing.Wait() // no error is returned above
}

// welcome prints the first key. It is the only time that anybody sees it.
func welcome(firstKey, origin string) {
	if firstKey == "" {
		return
	}
	fmt.Printf(`Your first API key, for the whole organization. It is shown this once; podmail key create makes others.

  %[1]s

Make an inbox with it:

  curl -X POST %[2]s/v0/inboxes -H 'Authorization: Bearer %[1]s' -H 'Content-Type: application/json' -d '{"username":"hello"}'

`, firstKey, origin)
}

type versionCommand struct{}

// Run prints what the binary was built from.
func (versionCommand) Run() error {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return errors.New("this binary does not say what it was built from")
	}
	_, err := fmt.Println("podmail", info.Main.Version, info.GoVersion)
	return err
}
