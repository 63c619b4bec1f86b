package receive

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// metrics are what the listeners count. docs/receiving.md names them.
type metrics struct {
	open        prometheus.Gauge
	connections *prometheus.CounterVec // listener, result
	handshakes  *prometheus.CounterVec // result: the version, or failed
	replies     *prometheus.CounterVec // listener, class
	recipients  *prometheus.CounterVec // listener, result
	messages    *prometheus.CounterVec // listener, result
	bytes       *prometheus.CounterVec // listener
	limited     *prometheus.CounterVec // of
	logins      *prometheus.CounterVec // mechanism, result
}

func newMetrics(r prometheus.Registerer) *metrics {
	f := promauto.With(r)
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return f.NewCounterVec(prometheus.CounterOpts{Name: "podmail_smtp_" + name, Help: help}, labels)
	}
	return &metrics{
		open:        f.NewGauge(prometheus.GaugeOpts{Name: "podmail_smtp_open_connections", Help: "SMTP connections that are open."}),
		connections: counter("connections_total", "SMTP connections: taken, or refused and why.", "listener", "result"),
		handshakes:  counter("tls_handshakes_total", "TLS handshakes over SMTP connections, by version.", "result"),
		replies:     counter("replies_total", "Replies to SMTP commands, by the class of their code.", "listener", "class"),
		recipients:  counter("recipients_total", "RCPT commands: accepted, or refused and how.", "listener", "result"),
		messages:    counter("messages_total", "Messages that came by SMTP: accepted, or refused and how.", "listener", "result"),
		bytes:       counter("received_bytes_total", "Bytes of messages that came by SMTP.", "listener"),
		limited:     counter("rate_limited_total", "SMTP commands refused since a limit per hour was reached.", "of"),
		logins:      counter("logins_total", "SMTP logins, by mechanism.", "mechanism", "result"),
	}
}

func (x *session) countMessage(result string) {
	x.s.metrics.messages.WithLabelValues(x.g.role.String(), result).Inc()
}
