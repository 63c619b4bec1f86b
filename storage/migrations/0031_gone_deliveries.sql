-- What became of a delivery is remembered for a while after its message was deleted, without the message's bytes.

CREATE TABLE deliveries_2 (
  id                 INTEGER PRIMARY KEY AUTOINCREMENT,
  pod_id             INTEGER NOT NULL,
  inbox_id           INTEGER NOT NULL,
  message_id         INTEGER, -- NULL: the message was deleted, or never was in the inbox
  blob_id            INTEGER, -- without a message: what is carried, while it waits
  trace              BLOB,    -- beside it: header fields of ours, before the blob's bytes
  gone_message_id    TEXT,    -- without a message: its id, as callers knew it
  purpose            TEXT NOT NULL DEFAULT 'sent', -- sent, forward, redirect, notice, return
  origin             TEXT, -- JSON, of what is handed on: under which reverse-path it came, and who vouches for that
  sender             TEXT NOT NULL,
  recipient          TEXT NOT NULL,
  destination        TEXT NOT NULL, -- the recipient's domain, in lower case
  courier            TEXT NOT NULL, -- local, smtp
  state              TEXT NOT NULL, -- queued, held, delivered, bounced, rejected, complained
  held_by            TEXT, -- organization, pod, inbox: the kind of key; NULL: it is not held
  urgent             INTEGER NOT NULL DEFAULT 0, -- to be tried at once, whatever is known of its destination
  attempts           INTEGER NOT NULL DEFAULT 0,
  next_attempt_at    INTEGER,
  last_reply         TEXT, -- of the host, or what went wrong
  notified           INTEGER NOT NULL DEFAULT 0, -- whether the sender was told that it is late
  envelope_id        TEXT, -- ENVID (RFC 3461)
  return             TEXT, -- RET: FULL, HDRS
  require_tls        INTEGER NOT NULL DEFAULT 0,
  notify             TEXT, -- NOTIFY: NEVER, or of SUCCESS, FAILURE, DELAY, with commas
  original_recipient TEXT, -- ORCPT: type;address
  trace_id           TEXT NOT NULL,
  created_at         INTEGER NOT NULL,
  updated_at         INTEGER NOT NULL,
  FOREIGN KEY (pod_id, inbox_id) REFERENCES inboxes (pod_id, id),
  FOREIGN KEY (pod_id, message_id, inbox_id) REFERENCES messages (pod_id, id, inbox_id),
  FOREIGN KEY (pod_id, blob_id) REFERENCES blobs (pod_id, id),
  CHECK (message_id IS NULL OR blob_id IS NULL),
  CHECK (message_id IS NOT NULL OR gone_message_id IS NOT NULL),
  CHECK (message_id IS NOT NULL OR blob_id IS NOT NULL OR state NOT IN ('queued', 'held'))
);
INSERT INTO sqlite_sequence (name, seq) SELECT 'deliveries_2', seq FROM sqlite_sequence WHERE name = 'deliveries'; -- ids are used once
INSERT INTO deliveries_2 (id, pod_id, inbox_id, message_id, blob_id, trace, gone_message_id, purpose, origin, sender, recipient, destination, courier, state, held_by, urgent, attempts, next_attempt_at,
    last_reply, notified, envelope_id, return, require_tls, notify, original_recipient, trace_id, created_at, updated_at)
  SELECT id, pod_id, inbox_id, message_id, blob_id, trace, gone_message_id, purpose, origin, sender, recipient, destination, courier, state, held_by, urgent, attempts, next_attempt_at,
    last_reply, notified, envelope_id, return, require_tls, notify, original_recipient, trace_id, created_at, updated_at
  FROM deliveries;
DROP TABLE deliveries;
ALTER TABLE deliveries_2 RENAME TO deliveries;
CREATE INDEX deliveries_due ON deliveries (next_attempt_at) WHERE state = 'queued' AND courier = 'local';
CREATE INDEX deliveries_by_destination ON deliveries (pod_id, destination, next_attempt_at) WHERE state = 'queued' AND courier = 'smtp';
CREATE INDEX deliveries_due_of_pod ON deliveries (pod_id, next_attempt_at) WHERE state = 'queued' AND courier = 'smtp';
CREATE INDEX deliveries_by_message ON deliveries (pod_id, message_id, inbox_id);
CREATE INDEX deliveries_by_inbox ON deliveries (pod_id, inbox_id, id) WHERE state IN ('queued', 'held');
CREATE INDEX deliveries_by_blob ON deliveries (pod_id, blob_id) WHERE blob_id IS NOT NULL;
CREATE INDEX deliveries_by_envelope_id ON deliveries (pod_id, inbox_id, envelope_id) WHERE envelope_id IS NOT NULL;
CREATE INDEX deliveries_urgent ON deliveries (id) WHERE urgent = 1;
CREATE INDEX deliveries_held ON deliveries (pod_id) WHERE state = 'held';
CREATE INDEX deliveries_gone ON deliveries (pod_id, inbox_id, gone_message_id) WHERE gone_message_id IS NOT NULL;
CREATE INDEX deliveries_gone_by_age ON deliveries (updated_at) WHERE message_id IS NULL AND blob_id IS NULL;
