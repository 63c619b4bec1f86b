-- Who wrote to which inbox from which network under which name, where greylisting is on: strangers are asked to come again.

CREATE TABLE greylist (
  pod_id     INTEGER NOT NULL,
  inbox_id   INTEGER NOT NULL,
  caller     BLOB NOT NULL,    -- hash of network and sender
  seen_at    INTEGER NOT NULL, -- first
  expires_at INTEGER NOT NULL,
  PRIMARY KEY (pod_id, inbox_id, caller),
  FOREIGN KEY (pod_id, inbox_id) REFERENCES inboxes (pod_id, id)
) WITHOUT ROWID;
CREATE INDEX greylist_expiring ON greylist (expires_at);
