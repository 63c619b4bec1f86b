-- Whom mail may come from and go to: allow and block lists of the organization, a pod or an inbox.

CREATE TABLE list_entries (
  id         INTEGER PRIMARY KEY AUTOINCREMENT,
  pod_id     INTEGER REFERENCES pods (id), -- NULL: organization
  inbox_id   INTEGER,                      -- NULL: organization or pod
  direction  TEXT NOT NULL,                -- send, receive, reply
  list_type  TEXT NOT NULL,                -- allow, block
  entry      TEXT NOT NULL,                -- an address or a domain, in lower case
  reason     TEXT,
  read_only  INTEGER NOT NULL DEFAULT 0,   -- made by the server
  created_at INTEGER NOT NULL,
  FOREIGN KEY (pod_id, inbox_id) REFERENCES inboxes (pod_id, id)
);
CREATE UNIQUE INDEX list_entries_by_entry ON list_entries (direction, list_type, entry, ifnull(pod_id, 0), ifnull(inbox_id, 0));
CREATE INDEX list_entries_by_scope ON list_entries (pod_id, inbox_id, direction, list_type, entry);
