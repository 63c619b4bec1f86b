package sqlite

import (
	"os"
	"time"
)

const (
	checkpointEvery = 250 * time.Millisecond
	checkpointAt    = 4 << 20  // bytes of WAL from which copying back begins
	restartAt       = 16 << 20 // bytes of WAL from which the writer is asked to start it over
)

// checkpoints copies the WAL back into the file beside the writer, which never waits for it: PASSIVE takes no lock
// that a writer or a reader needs. Under writes without a pause PASSIVE alone never finishes, so from a size on the
// writer is asked for a RESTART between two groups.
func checkpoints(db *DB, c *conn, restart chan<- struct{}) {
	defer c.close()
	tick := time.NewTicker(checkpointEvery)
	defer tick.Stop()
	for {
		select {
		case <-db.closing:
			return
		case <-tick.C:
		}
		info, err := os.Stat(db.opts.Path + "-wal")
		if err != nil || info.Size() < checkpointAt {
			continue
		}
		res, err := c.ints("PRAGMA wal_checkpoint(PASSIVE)") // busy, frames in the log, frames copied back
		if err != nil {
			db.opts.Log.Warn("checkpoint failed; it is tried again", "error", err)
			continue
		}
		if res[1]*pageSize >= restartAt {
			select {
			case restart <- struct{}{}:
			default: // already asked
			}
		}
	}
}
