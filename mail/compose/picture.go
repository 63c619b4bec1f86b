package compose

import (
	"regexp"
	"strings"
)

// AddPicture puts a picture that nobody sees at the end of HTML.
func AddPicture(html, src string) string {
	picture := `<img src="` + src + `" alt="" width="1" height="1" style="border:0">`
	if end := strings.LastIndex(strings.ToLower(html), "</body"); end >= 0 && len(strings.ToLower(html)) == len(html) {
		return html[:end] + picture + html[end:]
	}
	return html + picture
}

// img is a picture as mail programs write it, also those that quote it.
var img = regexp.MustCompile(`(?i)<img\b[^>]*?\ssrc\s*=\s*["']?([^"'\s>]+)[^>]*>`)

// RemovePictures takes out the pictures of HTML that which picks by their URL.
func RemovePictures(html string, which func(src string) bool) string {
	return img.ReplaceAllStringFunc(html, func(tag string) string {
		if which(img.FindStringSubmatch(tag)[1]) {
			return ""
		}
		return tag
	})
}
