-- What each pod's classifier of unwanted mail has learned, and from which messages.

CREATE TABLE spam_tokens (
  pod_id INTEGER NOT NULL REFERENCES pods (id),
  token  INTEGER NOT NULL, -- number of a word; 0: every message has it
  spam   INTEGER NOT NULL, -- messages with it that were said to be spam
  ham    INTEGER NOT NULL, -- and not to be
  PRIMARY KEY (pod_id, token)
) WITHOUT ROWID;

CREATE TABLE spam_lessons (
  pod_id     INTEGER NOT NULL,
  inbox_id   INTEGER NOT NULL,
  message_id INTEGER NOT NULL, -- the message's row
  spam       INTEGER NOT NULL, -- what it is said to be
  learned    INTEGER,          -- as what it was learned; NULL: not yet
  PRIMARY KEY (pod_id, message_id),
  FOREIGN KEY (pod_id, message_id, inbox_id) REFERENCES messages (pod_id, id, inbox_id)
) WITHOUT ROWID;
CREATE INDEX spam_lessons_of_message ON spam_lessons (pod_id, message_id, inbox_id);
CREATE INDEX spam_lessons_due ON spam_lessons (pod_id, inbox_id, message_id) WHERE learned IS NULL OR learned <> spam;
