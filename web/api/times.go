package api

import "time"

// timestamp is a time on the wire: ISO 8601, UTC, milliseconds, Z. The zero time is left out by omitzero.
type timestamp time.Time

func (t timestamp) MarshalJSON() ([]byte, error) {
	b := make([]byte, 0, 26)
	b = append(b, '"')
	b = time.Time(t).UTC().AppendFormat(b, "2006-01-02T15:04:05.000Z")
	return append(b, '"'), nil
}

// IsZero tells omitzero what to leave out.
func (t timestamp) IsZero() bool { return time.Time(t).IsZero() }
