package parse

import (
	"strings"
	"unicode/utf8"
)

// maxIDs and maxID bound the message ids of one field, and the length of one: an answer must have room for it on a line
// (RFC 5322 2.1.1).
const (
	maxIDs = 100
	maxID  = 980
)

// MessageIDs finds the message ids in the value of Message-ID, In-Reply-To or References, with their angle brackets.
// Of a very long list the oldest and the latest are kept.
func MessageIDs(s string) (ids []string) {
	for {
		i := strings.IndexByte(s, '<')
		if i < 0 {
			break
		}
		s = s[i:]
		j := strings.IndexByte(s, '>')
		if j < 0 {
			break
		}
		if id := s[:j+1]; len(id) > 2 && len(id) <= maxID && strings.LastIndexByte(id, '<') == 0 && usableID(id) {
			ids = append(ids, id)
		}
		s = s[1:]
		if k := strings.IndexByte(s, '>'); k >= 0 {
			if next := strings.LastIndexByte(s[:k], '<'); next >= 0 {
				s = s[next:] // a stray bracket before an id
			} else {
				s = s[k+1:]
			}
		}
	}
	if len(ids) > maxIDs {
		ids = append(ids[:1:1], ids[len(ids)-maxIDs+1:]...)
	}
	return ids
}

func usableID(id string) bool {
	return utf8.ValidString(id) && !strings.ContainsFunc(id, func(r rune) bool { return r <= ' ' || r == 0x7f })
}
