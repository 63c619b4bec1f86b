package dsn

import "testing"

func TestClassify(t *testing.T) {
	for _, c := range []struct{ status, text, want string }{
		{"5.1.1", "", "Permanent/NoEmail"},
		{"", "550 5.1.1 no such mailbox here", "Permanent/NoEmail"},
		{"5.0.0", "550 5.1.1 <a@b.test>: Recipient address rejected: User unknown", "Permanent/NoEmail"},
		{"", "550 No such user", "Permanent/NoEmail"},
		{"", "550-5.1.1 The account\n550 5.1.1 is gone", "Permanent/NoEmail"},
		{"5.1.10", "null MX", "Permanent/NoEmail"},
		{"5.1.2", "Host or domain name not found", "Permanent/NoEmail"},
		{"5.2.1", "The account that you tried is gone", "Permanent/NoEmail"},
		{"4.1.1", "450 4.1.1 unverified address: user unknown", "Transient/General"},
		{"5.1.8", "553 5.1.8 Sender domain does not exist", "Permanent/General"},
		{"", "550 Sender domain does not exist", "Permanent/General"},
		{"5.7.1", "550 5.7.1 Relaying denied", "Permanent/General"},
		{"5.7.1", "550 5.7.1 Our system detected an unusual amount of unsolicited mail", "Transient/ContentRejected"},
		{"5.7.26", "550 5.7.26 Unauthenticated email is not accepted due to the domain's DMARC policy", "Transient/ContentRejected"},
		{"5.7.0", "552-5.7.0 This message was blocked because its content presents a potential security issue", "Transient/AttachmentRejected"},
		{"", "554 virus found", "Transient/AttachmentRejected"},
		{"5.6.0", "554 5.6.0 bad content", "Transient/ContentRejected"},
		{"5.2.2", "", "Transient/MailboxFull"},
		{"4.2.2", "452 4.2.2 over quota", "Transient/MailboxFull"},
		{"", "552 mailbox is full", "Transient/MailboxFull"},
		{"", "552 message too large", "Transient/MessageTooLarge"},
		{"5.3.4", "", "Transient/MessageTooLarge"},
		{"5.2.3", "", "Transient/MessageTooLarge"},
		{"5.4.7", "delivery time expired", "Transient/General"},
		{"4.4.1", "connection timed out", "Transient/General"},
		{"", "421 try again later", "Transient/General"},
		{"5.3.0", "", "Permanent/General"},
		{"", "554 transaction failed", "Permanent/General"},
		{"", "it did not work", "Undetermined/Undetermined"},
		{"", "", "Undetermined/Undetermined"},
		{"9.9.9", "", "Undetermined/Undetermined"},
	} {
		b := Classify(c.status, c.text)
		if got := string(b.Type) + "/" + b.SubType; got != c.want {
			t.Errorf("%q %q: %s, want %s", c.status, c.text, got, c.want)
		}
	}
	if !Classify("5.1.1", "").Hard() || Classify("5.7.1", "").Hard() || Classify("5.2.2", "").Hard() {
		t.Error("only addresses that do not exist are hard bounces")
	}
}
