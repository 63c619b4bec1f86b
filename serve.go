package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"podmail/server"
	"podmail/server/config"
	"podmail/storage"
)

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
	options.TLSResults, options.PostTLSReport, options.Metrics = out.mail.TLSResults, out.mail.PostReport, counted
	srv := server.New(options)
	firstKey, err := srv.Bootstrap(ctx)
	if err != nil {
		return err
	}
	d := newDoors(&cfg, srv, certificate, origin, log, counted)
	return d.run(ctx, release, sockets, func() { welcome(firstKey, origin) })
}

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
