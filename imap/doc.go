// Package imap is the door for mail clients: it assembles IMAP4rev1 and IMAP4rev2 (RFC 3501, RFC 9051) out of
//
//   - imap/wire, the guard on the network connection,
//   - go-imap's imapserver, which parses most commands,
//   - imap/session, what the commands do, with imap/tracker, imap/fetch and imap/search below it.
//
// Here live the listener's side (Server, limits, connections) and one file per command, which turns the library's
// types into the session's and back, and errors into response codes. Whether something may be done, and what it does
// to messages, is decided in server; nothing here knows SQL or labels.
package imap
