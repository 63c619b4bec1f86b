-- A draft is a message labelled draft, which holds its fields as MIME, and a row here for what MIME has no place for. An
-- edit replaces the message; the row stays.

CREATE TABLE drafts (
  id          INTEGER PRIMARY KEY AUTOINCREMENT,
  pod_id      INTEGER NOT NULL,
  inbox_id    INTEGER NOT NULL,
  message_id  INTEGER NOT NULL, -- the message's row
  public_id   TEXT NOT NULL UNIQUE,
  client_id   TEXT,
  kind        TEXT NOT NULL,    -- plain, reply, reply_all, forward
  original    TEXT,             -- message id of what it answers or forwards
  send_at     INTEGER,
  send_status TEXT,             -- scheduled, failed
  created_at  INTEGER NOT NULL,
  updated_at  INTEGER NOT NULL,
  UNIQUE (pod_id, message_id, inbox_id),
  FOREIGN KEY (pod_id, message_id, inbox_id) REFERENCES messages (pod_id, id, inbox_id)
);
CREATE UNIQUE INDEX drafts_by_client_id ON drafts (pod_id, inbox_id, client_id) WHERE client_id IS NOT NULL;
CREATE INDEX drafts_of_inbox_by_time ON drafts (pod_id, inbox_id, updated_at, id);
CREATE INDEX drafts_of_pod_by_time ON drafts (pod_id, updated_at, id);
CREATE INDEX drafts_of_all_by_time ON drafts (updated_at, id);
CREATE INDEX drafts_due ON drafts (send_at) WHERE send_status = 'scheduled';
INSERT INTO drafts (pod_id, inbox_id, message_id, public_id, kind, created_at, updated_at)
  SELECT pod_id, inbox_id, id, lower(hex(randomblob(4)) || '-' || hex(randomblob(2)) || '-4' || substr(hex(randomblob(2)), 2) || '-a' || substr(hex(randomblob(2)), 2)
    || '-' || hex(randomblob(6))), 'plain', created_at, updated_at
  FROM messages WHERE EXISTS (SELECT 1 FROM json_each(labels) WHERE value = 'draft');
