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
	"time"

	"github.com/prometheus/client_golang/prometheus"
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
		Relay:   cfg.Delivery.Relay.Relay(), Queue: queueLimits(&cfg.Delivery),
	}
}

func queueLimits(d *config.Delivery) server.QueueLimits {
	return server.QueueLimits{Transfers: int(d.Transfers), PerDestination: int(d.PerDestination), PerMinute: int(d.PerMinute)}
}

func sendingLimits(s *config.Sending) server.SendingLimits {
	rate := func(hour, day config.Allowance) mail.Rate { return mail.Rate{PerHour: int64(hour), PerDay: int64(day)} }
	return server.SendingLimits{Inbox: rate(s.InboxPerHour, s.InboxPerDay), Pod: rate(s.PodPerHour, s.PodPerDay), Organization: rate(s.OrganizationPerHour, s.OrganizationPerDay),
		NewPodPerDay: int64(s.NewPodPerDay)}
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
func newVerifier(cfg *config.Config, log *slog.Logger) *verify.Verifier {
	resolver := dns.NewCache(newResolver(cfg), wallClock{})
	return verify.New(verify.Options{Resolver: resolver, Clock: wallClock{}, Hostname: string(cfg.Hostname), Trusted: cfg.SMTP.Trusted.Prefixes(), BlockLists: cfg.SMTP.BlockLists,
		Log: log, MaxHeader: int(cfg.Limits.HeaderSize)})
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
	return smtp.Options{Server: srv, Hostname: string(cfg.Hostname), TLSConfig: certificate, Log: log, Clock: wallClock{}, Metrics: counted, Verifier: newVerifier(cfg, log), Scanner: newScanner(cfg), Filter: newFilter(cfg),
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
