-- How many recipients each inbox, each pod and the organization wrote to, where that is limited.

CREATE TABLE sending_counts (
  id       INTEGER PRIMARY KEY AUTOINCREMENT,
  pod_id   INTEGER REFERENCES pods (id), -- NULL: organization
  inbox_id INTEGER,                      -- NULL: organization or pod
  hour_at  INTEGER NOT NULL,             -- an hour begins with the first message in it
  in_hour  INTEGER NOT NULL,
  day_at   INTEGER NOT NULL,
  in_day   INTEGER NOT NULL,
  FOREIGN KEY (pod_id, inbox_id) REFERENCES inboxes (pod_id, id)
);
CREATE UNIQUE INDEX sending_counts_by_sender ON sending_counts (ifnull(pod_id, 0), ifnull(inbox_id, 0));
CREATE INDEX sending_counts_by_scope ON sending_counts (pod_id, inbox_id);
CREATE INDEX sending_counts_by_age ON sending_counts (day_at);

-- What the operator chose for a pod; NULL: what is set for all.
ALTER TABLE pods ADD COLUMN sending_per_hour INTEGER;
ALTER TABLE pods ADD COLUMN sending_per_day INTEGER;

-- When a draft is tried again whose time has come and which may not be sent yet.
ALTER TABLE drafts ADD COLUMN retry_at INTEGER;
DROP INDEX drafts_due;
CREATE INDEX drafts_due ON drafts (ifnull(retry_at, send_at)) WHERE send_status = 'scheduled';
