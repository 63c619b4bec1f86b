// Package wire is SMTP's grammar as a server meets it (RFC 5321 and its extensions): lines, commands, paths, parameters,
// bodies, replies and the PROXY header before them. Each reads from a stream that it does not trust, within a bound that
// is given, and knows nothing of sessions.
package wire
