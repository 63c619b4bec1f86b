package sign

import (
	"fmt"
	"slices"
)

const lineWidth = 76

func isSigned(name string) bool {
	return slices.Contains(oversigned, name) || slices.Contains(signed, name)
}

// headerKeys are the names of the fields to sign, for h=. go-msgauth writes them as they are, all on one line. A name
// that is there must stand alone to be found; what is named once too often is not there and finds nothing, so that a
// line break can go before it (RFC 6376 3.2: white space there means nothing). The names of signed fields are spread
// among those, for lines of a sensible length.
func headerKeys(fields []field) (keys []string, err error) {
	count := map[string]int{}
	for _, f := range fields {
		if count[f.name]++; count[f.name] > maxAlike && isSigned(f.name) {
			return nil, fmt.Errorf("there are more than %d fields %s: too many to be signed", maxAlike, f.name)
		}
	}
	var others []string
	for _, name := range signed {
		others = append(others, slices.Repeat([]string{name}, count[name])...)
	}
	share := (len(others) + len(oversigned) - 1) / len(oversigned)
	var lines [][]string // that begin with a name that is not there
	var line []string
	for _, name := range oversigned {
		lines = append(lines, append(line, slices.Repeat([]string{name}, count[name])...))
		n := min(share, len(others))
		line, others = append([]string{name}, others[:n]...), others[n:]
	}
	width := len(" h=")
	for _, line := range append(lines, line) {
		more := len(line)
		for _, name := range line {
			more += len(name)
		}
		if width+more > lineWidth {
			line[0] = "\r\n\t" + line[0]
			width = 8
		}
		width += more
		keys = append(keys, line...)
	}
	return keys, nil
}
