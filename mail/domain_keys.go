package mail

import "time"

// DKIMKey is a key that signs a domain's mail (RFC 6376, RFC 8463).
type DKIMKey struct {
	Selector  string    `json:"selector"`
	Algorithm string    `json:"algorithm"`      // rsa, ed25519: the k= of the record
	Public    string    `json:"public"`         // base64: the p= of the record
	Private   []byte    `json:"private"`        // PKCS #8; a secret
	Next      bool      `json:"next,omitempty"` // takes over once all records of its kind are there
	Until     time.Time `json:"until,omitzero"` // it was replaced: its record is to stay until then. Zero: it was not
}

// KeyOverlap is how long the record of a key that was replaced is to stay: mail that it signed may still be on its way, or
// be looked at again.
const KeyOverlap = 7 * 24 * time.Hour

// Signs tells whether mail is signed with the key now.
func (k *DKIMKey) Signs() bool { return !k.Next && k.Until.IsZero() }

// use is what the key's record is for.
func (k *DKIMKey) use() RecordUse {
	switch {
	case k.Next:
		return RecordNext
	case !k.Until.IsZero():
		return RecordReplaced
	}
	return ""
}

// HasNextKeys tells whether keys wait for their records to take over.
func HasNextKeys(keys []DKIMKey) bool {
	for _, k := range keys {
		if k.Next {
			return true
		}
	}
	return false
}

// TurnKeys goes on with a rotation as far as a domain's records allow. Once the records of all new keys are there, they
// sign, and the old ones only have their records kept for a while; those whose time is over are dropped.
func TurnKeys(keys []DKIMKey, records []DomainRecord, now time.Time) (turned []DKIMKey, began, dropped []string) {
	ready := HasNextKeys(keys)
	for _, r := range records {
		ready = ready && (r.Use != RecordNext || r.Status == RecordValid)
	}
	for _, k := range keys {
		switch {
		case !k.Until.IsZero() && !now.Before(k.Until):
			dropped = append(dropped, k.Selector)
			continue
		case k.Next && ready:
			k.Next = false
			began = append(began, k.Selector)
		case k.Signs() && ready:
			k.Until, k.Private = now.Add(KeyOverlap), nil // what cannot be used cannot be stolen
		}
		turned = append(turned, k)
	}
	return turned, began, dropped
}
