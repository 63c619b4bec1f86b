package tracker

import (
	"fmt"
	"strconv"
	"strings"

	"podmail/mail"
)

// Star stands for "*", the largest number in use, at either end of a Span.
const Star = ^uint32(0)

// Span is one element of a sequence set, ends included and in any order (RFC 9051 9, seq-range).
type Span struct{ From, To uint32 }

// Set is a sequence set: of message sequence numbers or of UIDs.
type Set []Span

// ParseSet reads a sequence set.
func ParseSet(s string) (Set, error) {
	var set Set
	for part := range strings.SplitSeq(s, ",") {
		a, b, isRange := strings.Cut(part, ":")
		from, err := parseNumber(a)
		to := from
		if err == nil && isRange {
			to, err = parseNumber(b)
		}
		if err != nil {
			return nil, fmt.Errorf("bad sequence set %q", s)
		}
		set = append(set, Span{from, to})
	}
	return set, nil
}

func parseNumber(s string) (uint32, error) {
	if s == "*" {
		return Star, nil
	}
	n, err := strconv.ParseUint(s, 10, 32)
	if err != nil || n == 0 || s[0] == '0' {
		return 0, fmt.Errorf("bad number %q", s)
	}
	return uint32(n), nil
}

// SetOf is the shortest Set that holds exactly nums, which ascend.
func SetOf(nums []uint32) Set {
	var set Set
	for _, n := range nums {
		if k := len(set); k > 0 && set[k-1].To+1 == n {
			set[k-1].To = n
		} else {
			set = append(set, Span{n, n})
		}
	}
	return set
}

// Append writes the set as the protocol does.
func (s Set) Append(b []byte) []byte {
	for i, span := range s {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendUint(b, uint64(span.From), 10)
		if span.To != span.From {
			b = append(b, ':')
			b = strconv.AppendUint(b, uint64(span.To), 10)
		}
	}
	return b
}

// Ranges is SetOf in storage's terms.
func Ranges(uids []uint32) []mail.UIDRange {
	var out []mail.UIDRange
	for _, span := range SetOf(uids) {
		out = append(out, mail.UIDRange{First: span.From, Last: span.To})
	}
	return out
}
