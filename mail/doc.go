// Package mail is Podmail's vocabulary: the nouns (pod, inbox, message, thread, …), the rules that need nothing but
// them (labels, placement, permissions, addresses), and the one error type that every layer speaks.
//
// It imports the standard library only and does no I/O. Turning bytes into these nouns is the work of mail/parse,
// turning nouns into bytes that of mail/compose; who may do what is decided in server, rows live in storage.
package mail
