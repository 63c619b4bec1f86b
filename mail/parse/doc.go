// Package parse turns bytes into mail's nouns: a whole message into its structure with byte ranges, header values into
// addresses, ids and parameters, transfer encodings and charsets into text. It reads what it is handed, once, with
// bounded memory, and never fails on bad mail: what cannot be understood is kept as it is.
//
// Building messages is mail/compose's work, telling new text from quoted text mail/reply's.
package parse
