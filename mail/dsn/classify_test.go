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
		// What hosts of the world say of mailboxes …
		{"", "550-5.1.1 The email account that you tried to reach does not exist. Please try\n550-5.1.1 double-checking the recipient's email address for typos or\n550 5.1.1 unnecessary spaces. - gsmtp", "Permanent/NoEmail"},
		{"", "550-5.2.1 The email account that you tried to reach is inactive. - gsmtp", "Permanent/NoEmail"},
		{"", "552-5.2.2 The recipient's inbox is out of storage space. - gsmtp", "Transient/MailboxFull"},
		{"", "550 5.5.0 Requested action not taken: mailbox unavailable (S2017062302). [SN1PEPF0002.prod.protection.outlook.com]", "Permanent/NoEmail"},
		{"", "550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup", "Permanent/NoEmail"},
		{"", "554 delivery error: dd This user doesn't have a yahoo.com account (x@yahoo.com) [0] - mta4.mail.bf1.yahoo.com", "Permanent/NoEmail"},
		{"", "550 5.1.1 <x@b.test>: Recipient address rejected: User unknown in relay recipient table", "Permanent/NoEmail"},
		{"", "550 <x@b.test>: Recipient address rejected: User unknown in relay recipient table", "Permanent/NoEmail"},
		{"", "550 Unrouteable address", "Permanent/NoEmail"},
		{"", "550 5.1.1 <x@b.test>... User unknown", "Permanent/NoEmail"},
		{"", "511 sorry, no mailbox here by that name (#5.1.1 - chkuser)", "Permanent/NoEmail"},
		{"5.7.1", "550 5.7.1 <x@b.test>: Recipient address rejected: no such user", "Permanent/NoEmail"},
		// … of who we are and what we do …
		{"", "554 Access denied: reverse DNS of your address does not exist", "Permanent/General"},
		{"", "550 Hostname does not exist", "Permanent/General"},
		{"5.7.25", "550 5.7.25 Client host rejected: your hostname does not exist", "Permanent/General"},
		{"5.5.0", "550 5.5.0 IP 1.2.3.4 is inactive in our allowlist", "Permanent/General"},
		{"5.7.1", "550 5.7.1 Your account no longer available for sending", "Permanent/General"},
		{"5.0.0", "550 5.0.0 Rejected: reverse DNS for 1.2.3.4 does not exist", "Permanent/General"},
		{"", "554 rate quota exceeded for your IP", "Permanent/General"},
		{"", "452 quota exceeded for your IP", "Transient/General"},
		{"5.7.1", "550 5.7.1 Service unavailable; Client host [1.2.3.4] blocked using zen.spamhaus.org", "Permanent/General"},
		{"5.7.606", "550 5.7.606 Access denied, banned sending IP [1.2.3.4]", "Permanent/General"},
		{"5.4.1", "550 5.4.1 Recipient address rejected: Access denied. AS(201806281)", "Permanent/General"},
		{"", "550 Sender verify failed: user unknown", "Permanent/General"},
		{"5.7.0", "550 5.7.0 Something does not exist", "Permanent/General"},
		// … and of what we write.
		{"", "550-5.7.1 [1.2.3.4 12] Our system has detected that this message is likely\n550 5.7.1 unsolicited mail. - gsmtp", "Transient/ContentRejected"},
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
