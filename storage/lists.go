package storage

import (
	"strings"

	"podmail/storage/sqlite"
)

// listing is one list query in both directions. Its text has {after} where rows behind the cursor (?1 = key, ?2 = id)
// are picked and {order} where they are ordered.
type listing struct{ ascending, descending *sqlite.Statement }

// compileListing compiles text for the sort key and id columns named.
func compileListing(text, key, id string) listing {
	form := func(op, dir string) *sqlite.Statement {
		return tables.Compile(strings.NewReplacer(
			"{after}", "("+key+", "+id+") "+op+" (?1, ?2)",
			"{order}", "ORDER BY "+key+" "+dir+", "+id+" "+dir,
		).Replace(text))
	}
	return listing{ascending: form(">", "ASC"), descending: form("<", "DESC")}
}

func (l listing) pick(ascending bool) *sqlite.Statement {
	if ascending {
		return l.ascending
	}
	return l.descending
}
