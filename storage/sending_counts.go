package storage

import (
	"time"

	"podmail/mail"
	"podmail/storage/sqlite"
)

const sentColumns = `hour_at, in_hour, day_at, in_day`

var (
	countSent = tables.Compile(`INSERT INTO sending_counts (pod_id, inbox_id, hour_at, in_hour, day_at, in_day) VALUES ({own_pod}, {own_inbox}, ?1, ?2, ?1, ?2)
		ON CONFLICT (ifnull(pod_id, 0), ifnull(inbox_id, 0)) DO UPDATE SET
		hour_at = CASE WHEN hour_at > ?3 AND hour_at <= ?1 THEN hour_at ELSE ?1 END, in_hour = CASE WHEN hour_at > ?3 AND hour_at <= ?1 THEN in_hour + ?2 ELSE ?2 END,
		day_at = CASE WHEN day_at > ?4 AND day_at <= ?1 THEN day_at ELSE ?1 END, in_day = CASE WHEN day_at > ?4 AND day_at <= ?1 THEN in_day + ?2 ELSE ?2 END
		RETURNING ` + sentColumns)
	findSent         = tables.Compile(`SELECT ` + sentColumns + ` FROM sending_counts c WHERE {exact c}`)
	deleteSent       = tables.Compile(`DELETE FROM sending_counts WHERE {exact sending_counts}`)
	forgetSent       = tables.Compile(`DELETE FROM sending_counts WHERE id IN (SELECT c.id FROM sending_counts c WHERE c.day_at <= ?2 AND c.hour_at <= ?1 AND {organization} LIMIT ?3)`)
	findPodSending   = tables.Compile(`SELECT p.created_at, p.sending_per_hour IS NOT NULL, p.sending_per_hour, p.sending_per_day FROM pods p WHERE {scope p}`)
	updatePodSending = tables.Compile(`UPDATE pods SET sending_per_hour = ?1, sending_per_day = ?2 WHERE {scope pods}`)
)

func scanSent(r *sqlite.Row) (s mail.Sent, err error) {
	err = r.Scan(&s.HourAt, &s.InHour, &s.DayAt, &s.InDay)
	return s, err
}

// CountSent adds recipients to what the handle's very scope has written to, and returns what that is now.
func (tx Tx) CountSent(recipients int, now time.Time) (mail.Sent, error) {
	return get(tx, countSent, scanSent, now, recipients, now.Add(-time.Hour), now.Add(-24*time.Hour))
}

// FindSent returns what the handle's very scope has written to. What is not counted, or no longer, is zero.
func (tx Tx) FindSent(now time.Time) (s mail.Sent, err error) {
	counts, err := all(tx, findSent, scanSent)
	if err != nil || len(counts) == 0 {
		return s, err
	}
	if s = counts[0]; !s.HourAt.After(now.Add(-time.Hour)) {
		s.HourAt, s.InHour = time.Time{}, 0
	}
	if !s.DayAt.After(now.Add(-24 * time.Hour)) {
		s.DayAt, s.InDay = time.Time{}, 0
	}
	return s, nil
}

// DeleteSent forgets what the handle's very scope has written to.
func (tx Tx) DeleteSent() error {
	_, err := tx.tx.Exec(deleteSent)
	return err
}

// ForgetSent removes some of the counts whose hour and day are over.
func (tx SystemTx) ForgetSent(now time.Time, limit int) (removed int64, err error) {
	return tx.tx.Exec(forgetSent, now.Add(-time.Hour), now.Add(-24*time.Hour), limit)
}

// FindPodSending finds what limits the sending of the handle's pod.
func (tx Tx) FindPodSending() (mail.PodSending, error) {
	return get(tx, findPodSending, func(r *sqlite.Row) (p mail.PodSending, err error) {
		var chosen bool
		var rate mail.Rate
		if err = r.Scan(&p.CreatedAt, &chosen, &rate.PerHour, &rate.PerDay); chosen {
			p.Rate = &rate
		}
		return p, err
	})
}

// UpdatePodSending writes what limits the sending of the handle's pod; nil: what is set for all.
func (tx Tx) UpdatePodSending(rate *mail.Rate) error {
	var perHour, perDay any
	if rate != nil {
		perHour, perDay = rate.PerHour, rate.PerDay
	}
	_, err := tx.tx.Exec(updatePodSending, perHour, perDay)
	return err
}
