-- What the operator does to the queue, and what hosts said to each attempt.

ALTER TABLE deliveries ADD COLUMN urgent INTEGER NOT NULL DEFAULT 0; -- to be tried at once, whatever is known of its destination
CREATE INDEX deliveries_urgent ON deliveries (id) WHERE urgent = 1;

CREATE TABLE delivery_attempts (
  id          INTEGER PRIMARY KEY AUTOINCREMENT,
  pod_id      INTEGER NOT NULL,
  inbox_id    INTEGER NOT NULL,
  delivery_id INTEGER NOT NULL,
  host        TEXT,          -- its name and address; NULL: none was reached
  tls         TEXT,          -- version, cipher, how the host was verified; NULL: plain text
  failure     TEXT,          -- dns, connection, tls, reply, content; NULL: the message was taken
  reply       TEXT NOT NULL, -- verbatim, or what went wrong
  created_at  INTEGER NOT NULL,
  UNIQUE (pod_id, delivery_id, id),
  FOREIGN KEY (pod_id, inbox_id) REFERENCES inboxes (pod_id, id)
);
CREATE INDEX delivery_attempts_by_inbox ON delivery_attempts (pod_id, inbox_id, id);

-- What the operator stopped: a pod's mail, that of a sending domain, or that to a destination.
CREATE TABLE queue_pauses (
  id         INTEGER PRIMARY KEY AUTOINCREMENT,
  pod_id     INTEGER REFERENCES pods (id), -- of a pod
  kind       TEXT NOT NULL,                -- pod, domain, destination
  name       TEXT NOT NULL,                -- a domain, in lower case; of a pod its id
  reason     TEXT,
  created_at INTEGER NOT NULL
);
CREATE UNIQUE INDEX queue_pauses_by_name ON queue_pauses (kind, name);
CREATE INDEX queue_pauses_by_pod ON queue_pauses (pod_id);
