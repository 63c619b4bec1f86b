-- What was sent under an Idempotency-Key, so that a repeat sends nothing. Keys are a matter of the scope of the API key
-- that sent: what one tenant calls his requests is nobody else's business.

CREATE TABLE idempotency_keys (
  id         INTEGER PRIMARY KEY AUTOINCREMENT,
  pod_id     INTEGER REFERENCES pods (id), -- NULL: organization
  inbox_id   INTEGER,                      -- NULL: organization or pod
  key        TEXT NOT NULL,
  request    BLOB NOT NULL,                -- SHA-256 of what was asked for
  message_id TEXT NOT NULL,                -- what was answered
  thread_id  TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  FOREIGN KEY (pod_id, inbox_id) REFERENCES inboxes (pod_id, id)
);
CREATE UNIQUE INDEX idempotency_keys_by_key ON idempotency_keys (key, ifnull(pod_id, 0), ifnull(inbox_id, 0));
CREATE INDEX idempotency_keys_by_scope ON idempotency_keys (pod_id, inbox_id);
CREATE INDEX idempotency_keys_by_time ON idempotency_keys (created_at);
