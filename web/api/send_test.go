package api

import "testing"

func TestBase64Spellings(t *testing.T) {
	for s, want := range map[string]string{
		"":                "",
		"aGk=":            "hi",
		"aGk":             "hi",
		"aGVs\r\nbG8=\n":  "hello",
		"aGVs bG8=":       "hello",
		"-_-_":            "\xfb\xff\xbf",
		"+/+/":            "\xfb\xff\xbf",
		"aGVsbG8gd29ybGQ": "hello world",
	} {
		if got, ok := decodeBase64(s); !ok || string(got) != want {
			t.Errorf("%q: %q %v", s, got, ok)
		}
	}
	for _, s := range []string{"a", "*", "aGk=x", "data:text/plain;base64,aGk=", "é"} {
		if got, ok := decodeBase64(s); ok {
			t.Errorf("%q: %q", s, got)
		}
	}
}
