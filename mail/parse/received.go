package parse

import (
	"strings"
)

// ReceivedIDs are the ids under which a host says that it took the message, by its Received fields (RFC 5321 4.4).
func ReceivedIDs(header []byte, host string) (ids []string) {
	for _, f := range rawFields(header) {
		if !strings.EqualFold(f.name, "received") {
			continue
		}
		clauses, _, _ := strings.Cut(stripComments(unfold(f.value)), ";")
		by, id := "", ""
		words := strings.Fields(clauses)
		for i := 0; i+1 < len(words); i++ {
			switch {
			case by == "" && strings.EqualFold(words[i], "by"):
				by = words[i+1]
			case by != "" && id == "" && strings.EqualFold(words[i], "id"):
				id = words[i+1]
			}
		}
		if id != "" && strings.EqualFold(by, host) {
			ids = append(ids, id)
		}
	}
	return ids
}
