package compose

import (
	"strings"
	"testing"
)

func TestPictures(t *testing.T) {
	const added = `<img src="https://link.test/o/x" alt="" width="1" height="1" style="border:0">`
	for html, want := range map[string]string{
		"":                              added,
		"<p>Hi":                         "<p>Hi" + added,
		"<body><p>Hi</p></BODY></html>": "<body><p>Hi</p>" + added + "</BODY></html>",
		"<body>İ</body>":                "<body>İ</body>" + added, // which is longer in lower case
	} {
		got := AddPicture(html, "https://link.test/o/x")
		if got != want {
			t.Errorf("%q: %q", html, got)
		}
		if back := RemovePictures(got, func(src string) bool { return src == "https://link.test/o/x" }); back != html {
			t.Errorf("%q: without it %q", html, back)
		}
	}
	for html, want := range map[string]string{
		`a<IMG width=1 SRC=own>b<img alt="x" src='own'/>c<img
 src="other">`: "abc<img\n src=\"other\">",
		`<imgx src="own"><img data-src="own">`: `<imgx src="own"><img data-src="own">`,
		`<img src="own"`:                       `<img src="own"`,
	} {
		if got := RemovePictures(html, func(src string) bool { return src == "own" }); got != want {
			t.Errorf("%q: %q", html, got)
		}
	}
}

// FuzzPictures: a picture that was added to any HTML is found there again, and nothing else goes with it.
func FuzzPictures(f *testing.F) {
	for _, html := range []string{"", "<body>x</body>", "<img src=", "</BODY", "İ</body>", "<img src=\"a\"", "<!-- </body> -->", "\xff<img\x00src=x>"} {
		f.Add(html)
	}
	f.Fuzz(func(t *testing.T, html string) {
		if got := RemovePictures(html, func(string) bool { return false }); got != html {
			t.Errorf("%q became %q", html, got)
		}
		if strings.Contains(html, "<") { // may swallow what follows it
			return
		}
		const src = "https://link.test/o/x"
		if back := RemovePictures(AddPicture(html, src), func(s string) bool { return s == src }); back != html {
			t.Errorf("%q came back as %q", html, back)
		}
	})
}
