-- The queue of mail to other hosts: grouped by destination, in fair turns between pods. A delivery whose message is
-- deleted before it is carried keeps the message's bytes, and is carried all the same.

CREATE TABLE deliveries_2 (
  id              INTEGER PRIMARY KEY AUTOINCREMENT,
  pod_id          INTEGER NOT NULL,
  inbox_id        INTEGER NOT NULL,
  message_id      INTEGER,       -- NULL: the message was deleted; then the two below are there
  blob_id         INTEGER,
  gone_message_id TEXT,          -- as callers knew it
  sender          TEXT NOT NULL,
  recipient       TEXT NOT NULL,
  destination     TEXT NOT NULL, -- the recipient's domain, in lower case
  courier         TEXT NOT NULL, -- local, smtp
  state           TEXT NOT NULL, -- queued, held, delivered, bounced, rejected
  attempts        INTEGER NOT NULL DEFAULT 0,
  next_attempt_at INTEGER,
  last_reply      TEXT,          -- of the host, or what went wrong
  notified        INTEGER NOT NULL DEFAULT 0, -- whether the sender was told that it is late
  trace_id        TEXT NOT NULL,
  created_at      INTEGER NOT NULL,
  updated_at      INTEGER NOT NULL,
  FOREIGN KEY (pod_id, inbox_id) REFERENCES inboxes (pod_id, id),
  FOREIGN KEY (pod_id, message_id, inbox_id) REFERENCES messages (pod_id, id, inbox_id),
  FOREIGN KEY (pod_id, blob_id) REFERENCES blobs (pod_id, id),
  CHECK ((message_id IS NULL) = (blob_id IS NOT NULL))
);
INSERT INTO deliveries_2 (id, pod_id, inbox_id, message_id, sender, recipient, destination, courier, state, attempts, next_attempt_at, last_reply, trace_id, created_at, updated_at)
  SELECT id, pod_id, inbox_id, message_id, sender, recipient, lower(substr(recipient, instr(recipient, '@') + 1)), courier, state, attempts, next_attempt_at, last_error, trace_id, created_at, updated_at
  FROM deliveries;
DROP TABLE deliveries;
ALTER TABLE deliveries_2 RENAME TO deliveries;
CREATE INDEX deliveries_due ON deliveries (next_attempt_at) WHERE state = 'queued' AND courier = 'local';
CREATE INDEX deliveries_by_destination ON deliveries (pod_id, destination, next_attempt_at) WHERE state = 'queued' AND courier = 'smtp';
CREATE INDEX deliveries_due_of_pod ON deliveries (pod_id, next_attempt_at) WHERE state = 'queued' AND courier = 'smtp';
CREATE INDEX deliveries_by_message ON deliveries (pod_id, message_id, inbox_id);
CREATE INDEX deliveries_by_inbox ON deliveries (pod_id, inbox_id, id) WHERE state IN ('queued', 'held');
CREATE INDEX deliveries_by_blob ON deliveries (pod_id, blob_id) WHERE blob_id IS NOT NULL;
