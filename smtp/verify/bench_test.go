package verify_test

import (
	"strings"
	"testing"

	"podmail/mail"
)

// BenchmarkCheck is what a message of 10 KiB costs beyond its look-ups, unsigned and signed.
func BenchmarkCheck(b *testing.B) {
	head, _, _ := strings.Cut(dinner, "\r\n\r\n")
	plain := head + "\r\n\r\n" + strings.Repeat("We lost the game. Are you hungry yet? We lost the game again.\r\n", 160)
	signed := sign(b, job{Kind: "dkim", Message: []byte(plain), Selector: "r", Domain: "football.example.com", Key: pemOf(keys().rsa), Form: [2]string{"relaxed", "relaxed"}, Algorithm: "rsa-sha256"})[0]
	for name, message := range map[string]string{"unsigned": plain, "signed": signed} {
		b.Run(name, func(b *testing.B) {
			w := newWorld()
			w.Set(mail.RecordTXT, "r._domainkey.football.example.com", rsaRecord(&keys().rsa.PublicKey))
			b.SetBytes(int64(len(message)))
			for b.Loop() {
				w.check(b, message)
			}
		})
	}
}
