package storage

import (
	"slices"
	"time"

	"podmail/mail"
)

// Meter adds to the totals some of what happened since, in order, and forgets readings from before a moment. more tells
// that something is left.
func (tx SystemTx) Meter(limit int, forget time.Time) (more bool, err error) {
	events, err := all(tx.Tx, listUnmetered, scanUnmetered, limit)
	if err != nil {
		return false, err
	}
	usage, err := all(tx.Tx, listUsage, scanUsage, limit)
	if err != nil || len(events)+len(usage) == 0 {
		return false, err
	}
	more = len(events) == limit || len(usage) == limit
	events, usage = inStep(events, usage, limit)
	if len(events) > 0 {
		if _, err := tx.tx.Exec(setMetered, events[len(events)-1].id); err != nil {
			return false, err
		}
	}
	if len(usage) > 0 {
		if _, err := tx.tx.Exec(deleteUsage, usage[len(usage)-1].id); err != nil {
			return false, err
		}
	}
	happened := append(events, usage...)
	slices.SortStableFunc(happened, func(a, b metered) int { return a.at.Compare(b.at) })
	return more, tx.addUp(happened, forget)
}

// HasUnmetered tells whether anything happened that is not in the totals.
func (tx SystemTx) HasUnmetered() (yes bool, err error) {
	err = tx.one(anyUnmetered, nil, &yes)
	return yes, err
}

// inStep cuts two lists, of which a full one goes on, so that neither runs ahead of the other in time.
func inStep(events, usage []metered, limit int) ([]metered, []metered) {
	until := endOfTime
	for _, list := range [][]metered{events, usage} {
		if len(list) == limit {
			last := slices.MaxFunc(list, func(a, b metered) int { return a.at.Compare(b.at) }).at
			if last.Before(until) {
				until = last
			}
		}
	}
	cut := func(list []metered) []metered {
		if i := slices.IndexFunc(list, func(m metered) bool { return m.at.After(until) }); i >= 0 {
			return list[:i]
		}
		return list
	}
	return cut(events), cut(usage)
}

// addUp writes new readings of every scope in which something happened.
func (tx SystemTx) addUp(happened []metered, forget time.Time) error {
	latest := map[mail.Scope]*readingRow{}
	for _, m := range happened {
		if m.change == (mail.Totals{}) {
			continue
		}
		for _, scope := range slices.Compact([]mail.Scope{{}, {Pod: m.scope.Pod}, m.scope}) {
			row := latest[scope]
			if row == nil {
				found, err := tx.For(scope).findReading(endOfTime)
				if err != nil {
					return err
				}
				row = &found
				latest[scope] = row
			}
			at := m.at.Truncate(time.Millisecond)
			if at.After(row.At) {
				if err := tx.For(scope).writeReading(row); err != nil {
					return err
				}
				row.id, row.At = 0, at
			} // else clocks and commits were not of one mind: it counts with the latest
			row.Totals.Add(m.change)
			row.changed = true
		}
	}
	for scope, row := range latest {
		if err := tx.For(scope).writeReading(row); err != nil {
			return err
		}
		if _, err := tx.For(scope).tx.Exec(forgetReadings, forget, 100); err != nil {
			return err
		}
	}
	return nil
}

// writeReading stores a reading that changed.
func (tx Tx) writeReading(row *readingRow) error {
	if !row.changed {
		return nil
	}
	row.changed = false
	statement, args := insertReading, []any{row.At.UnixMicro()}
	if row.id != 0 {
		statement, args = updateReading, []any{row.id}
	}
	for _, n := range row.Totals {
		args = append(args, n)
	}
	_, err := tx.tx.Exec(statement, args...)
	return err
}
