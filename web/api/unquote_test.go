package api

import (
	"encoding/json"
	"testing"
)

// FuzzUnquote holds unquote to what the library reads.
func FuzzUnquote(f *testing.F) {
	for _, s := range []string{`""`, `"plain"`, `"\"\\\/\b\f\n\r\t"`, `"\u0041\u00e9\u20ac\uD83D\ude00 ü 😀"`, `"\ud83d"`, `"\ud83dx"`, `"\ud83d\u0041"`, `"\ud83d\ud83d\ude00"`, `"\ude00\ud83d"`,
		"\"\xff\xfe \\n\"", `"\u0000"`, `"\ufffd\uffff"`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var want string
		if len(text) == 0 || text[0] != '"' || json.Unmarshal([]byte(text), &want) != nil || text[len(text)-1] != '"' {
			return
		}
		if got := unquote(json.RawMessage(text)); got != want {
			t.Errorf("%q is %q, not %q", text, got, want)
		}
	})
}
