package mail

import (
	"encoding/base64"
	"encoding/binary"
)

// Page asks for one page of a list.
type Page struct {
	Limit     int    // > 0
	Token     string // opaque, from the page before; empty for the first
	Ascending bool   // oldest first; the default is newest first
}

// Cursor is the place in a list after which the next page starts: the sort key of the page's last item, and its
// surrogate key to tell equals apart. Its zero value is the start.
type Cursor struct {
	Key, ID int64
}

// Token writes c as the opaque token that callers carry.
func (c Cursor) Token() string {
	if c == (Cursor{}) {
		return ""
	}
	b := binary.AppendVarint(binary.AppendVarint([]byte{1}, c.Key), c.ID)
	return base64.RawURLEncoding.EncodeToString(b)
}

// ParseToken reads a token made by Cursor.Token. An empty one is the start; a bad one is CodeInvalid.
func ParseToken(token string) (Cursor, error) {
	if token == "" {
		return Cursor{}, nil
	}
	bad := Invalid("page_token", "is not a token of this list").WithFix("Pass next_page_token of the page before, unchanged.")
	b, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || len(b) < 3 || b[0] != 1 {
		return Cursor{}, bad
	}
	key, n := binary.Varint(b[1:])
	if n <= 0 {
		return Cursor{}, bad
	}
	id, m := binary.Varint(b[1+n:])
	if m <= 0 || 1+n+m != len(b) {
		return Cursor{}, bad
	}
	return Cursor{Key: key, ID: id}, nil
}
