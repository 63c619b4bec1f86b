-- Messages whose senders may not know that they were taken, over a restart. They are of no pod: one message may be in
-- inboxes of several, and its id says nothing.
CREATE TABLE unheard (
  trace_id TEXT PRIMARY KEY,
  since    INTEGER NOT NULL
) WITHOUT ROWID;

-- Of messages up to this one the senders know, unless they are in unheard.
ALTER TABLE organization ADD COLUMN heard INTEGER NOT NULL DEFAULT 0;
UPDATE organization SET heard = (SELECT ifnull(max(id), 0) FROM messages);
