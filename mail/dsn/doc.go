// Package dsn writes and reads what mail systems tell senders of the fate of their mail: delivery status notifications
// (RFC 3464 in the multipart/report of RFC 6522, with RFC 6533 for addresses beyond ASCII), and reads the older bounces of
// qmail (QSBMF) and Exim too. It also says what a status or a reply means to a caller: a bounce's type and sub_type.
//
// What follows from a report, and whether it may be believed, is server's to decide. Complaints are mail/arf's.
package dsn
