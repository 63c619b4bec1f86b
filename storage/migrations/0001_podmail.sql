-- Times are unix microseconds, UTC. public_id is the id that callers see. Foreign keys are composite, so that no row
-- can point into another pod. In their keys an id that only grows stands before inbox_id: the rows of a pod that come
-- together then lie together, whatever inbox they belong to, and a commit writes fewer pages. Ids that
-- open sessions, readers and workers hold beyond a transaction are never given out twice (AUTOINCREMENT).

CREATE TABLE organization (
  id           INTEGER PRIMARY KEY CHECK (id = 1),
  public_id    TEXT NOT NULL,
  secret       BLOB NOT NULL,    -- signs download links
  uid_validity INTEGER NOT NULL, -- the last one given out
  keyed        INTEGER NOT NULL, -- whether a first API key was ever made
  indexed      INTEGER NOT NULL DEFAULT 0, -- messages up to this id are in the search index
  created_at   INTEGER NOT NULL,
  updated_at   INTEGER NOT NULL
);

CREATE TABLE pods (
  id         INTEGER PRIMARY KEY AUTOINCREMENT,
  public_id  TEXT NOT NULL UNIQUE,
  name       TEXT NOT NULL,
  client_id  TEXT UNIQUE,
  is_default INTEGER NOT NULL,
  deleted    INTEGER NOT NULL DEFAULT 0, -- invisible; its last rows are being removed
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL
);
CREATE INDEX pods_by_time ON pods (created_at, id);

CREATE TABLE domains (
  id         INTEGER PRIMARY KEY AUTOINCREMENT,
  pod_id     INTEGER REFERENCES pods (id), -- NULL: all pods
  name       TEXT NOT NULL UNIQUE,
  verified   INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL
);
CREATE INDEX domains_by_time ON domains (pod_id, created_at, id);

CREATE TABLE inboxes (
  id           INTEGER PRIMARY KEY AUTOINCREMENT,
  pod_id       INTEGER NOT NULL REFERENCES pods (id),
  address      TEXT UNIQUE, -- NULL once deleted: invisible; what is under it is being removed
  display_name TEXT,
  client_id    TEXT,
  metadata     TEXT,        -- JSON object
  uid_validity INTEGER NOT NULL,
  created_at   INTEGER NOT NULL,
  updated_at   INTEGER NOT NULL,
  UNIQUE (pod_id, id)
);
CREATE UNIQUE INDEX inboxes_by_client_id ON inboxes (pod_id, client_id) WHERE client_id IS NOT NULL;
CREATE INDEX inboxes_by_time ON inboxes (pod_id, created_at, id);
CREATE INDEX inboxes_of_all_by_time ON inboxes (created_at, id);
CREATE INDEX inboxes_deleted ON inboxes (id) WHERE address IS NULL;

CREATE TABLE api_keys (
  id          INTEGER PRIMARY KEY AUTOINCREMENT,
  pod_id      INTEGER REFERENCES pods (id), -- NULL: organization
  inbox_id    INTEGER,                      -- NULL: organization or pod
  public_id   TEXT NOT NULL UNIQUE,
  name        TEXT NOT NULL,
  prefix      TEXT NOT NULL,
  hash        BLOB NOT NULL UNIQUE,         -- SHA-256 of the secret
  permissions TEXT,                         -- JSON object; NULL: everything in scope
  used_at     INTEGER,
  expires_at  INTEGER,
  created_at  INTEGER NOT NULL,
  updated_at  INTEGER NOT NULL,
  FOREIGN KEY (pod_id, inbox_id) REFERENCES inboxes (pod_id, id)
);
CREATE INDEX api_keys_by_time ON api_keys (pod_id, inbox_id, created_at, id);
CREATE INDEX api_keys_of_all_by_time ON api_keys (created_at, id);

CREATE TABLE mailboxes (
  id           INTEGER PRIMARY KEY AUTOINCREMENT,
  pod_id       INTEGER NOT NULL,
  inbox_id     INTEGER NOT NULL,
  name         TEXT NOT NULL,
  role         TEXT NOT NULL, -- '' for the user's own
  label        TEXT NOT NULL, -- the label that says a message is here
  uid_validity INTEGER NOT NULL,
  uid_next     INTEGER NOT NULL DEFAULT 1,
  modseq       INTEGER NOT NULL DEFAULT 1,
  subscribed   INTEGER NOT NULL,
  UNIQUE (pod_id, inbox_id, id),
  UNIQUE (pod_id, inbox_id, label),
  FOREIGN KEY (pod_id, inbox_id) REFERENCES inboxes (pod_id, id)
);

CREATE TABLE blobs (
  id         INTEGER PRIMARY KEY AUTOINCREMENT,
  pod_id     INTEGER NOT NULL REFERENCES pods (id),
  hash       BLOB,             -- SHA-256 of the content; NULL while it is staged
  size       INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  bytes      BLOB,             -- the content if it fits one chunk; NULL: it stands in blob_chunks
  UNIQUE (pod_id, id)
);
CREATE UNIQUE INDEX blobs_by_hash ON blobs (pod_id, hash) WHERE hash IS NOT NULL;
CREATE INDEX blobs_staged ON blobs (created_at) WHERE hash IS NULL;

CREATE TABLE blob_chunks (
  id      INTEGER PRIMARY KEY,
  pod_id  INTEGER NOT NULL,
  blob_id INTEGER NOT NULL,
  seq     INTEGER NOT NULL, -- 0, 1, …; all but the last chunk are full
  bytes   BLOB NOT NULL,
  UNIQUE (pod_id, blob_id, seq),
  FOREIGN KEY (pod_id, blob_id) REFERENCES blobs (pod_id, id)
);

CREATE TABLE threads (
  id              INTEGER PRIMARY KEY,
  pod_id          INTEGER NOT NULL,
  inbox_id        INTEGER NOT NULL,
  public_id       TEXT NOT NULL UNIQUE,
  labels          TEXT NOT NULL,    -- JSON object: label to number of messages
  hidden          TEXT NOT NULL,    -- JSON object: hidden value to number of messages
  visibility      INTEGER NOT NULL, -- one bit per hidden value that occurs
  timestamp       INTEGER NOT NULL,
  received_at     INTEGER,
  sent_at         INTEGER,
  senders         TEXT NOT NULL,    -- JSON array
  recipients      TEXT NOT NULL,    -- JSON array
  subject         TEXT NOT NULL,
  folded          TEXT NOT NULL,    -- senders, recipients, subject in lower case, for filters
  preview         TEXT NOT NULL,
  attachments     TEXT,             -- JSON array
  last_message_id TEXT NOT NULL,
  message_count   INTEGER NOT NULL,
  size            INTEGER NOT NULL,
  created_at      INTEGER NOT NULL,
  updated_at      INTEGER NOT NULL,
  UNIQUE (pod_id, id, inbox_id),
  FOREIGN KEY (pod_id, inbox_id) REFERENCES inboxes (pod_id, id)
);
CREATE INDEX threads_of_inbox_by_time ON threads (pod_id, inbox_id, timestamp, id);
CREATE INDEX threads_of_pod_by_time ON threads (pod_id, timestamp, id);
CREATE INDEX threads_of_all_by_time ON threads (timestamp, id);

CREATE TABLE thread_labels (
  pod_id    INTEGER NOT NULL,
  inbox_id  INTEGER NOT NULL,
  label     TEXT NOT NULL,
  thread_id INTEGER NOT NULL,
  PRIMARY KEY (pod_id, thread_id, inbox_id, label),
  FOREIGN KEY (pod_id, thread_id, inbox_id) REFERENCES threads (pod_id, id, inbox_id)
) WITHOUT ROWID;
-- Led by the label, so that it serves the organization, a pod and an inbox alike.
CREATE INDEX thread_labels_by_label ON thread_labels (label, pod_id, inbox_id, thread_id);

-- Message ids that messages of a thread name but that have not arrived: whoever has one joins the thread.
CREATE TABLE thread_references (
  pod_id     INTEGER NOT NULL,
  inbox_id   INTEGER NOT NULL,
  message_id TEXT NOT NULL,
  thread_id  INTEGER NOT NULL,
  PRIMARY KEY (pod_id, inbox_id, message_id),
  FOREIGN KEY (pod_id, thread_id, inbox_id) REFERENCES threads (pod_id, id, inbox_id)
) WITHOUT ROWID;
CREATE INDEX thread_references_by_thread ON thread_references (pod_id, thread_id, inbox_id);

CREATE TABLE messages (
  id            INTEGER PRIMARY KEY AUTOINCREMENT,
  pod_id        INTEGER NOT NULL,
  inbox_id      INTEGER NOT NULL,
  thread_id     INTEGER NOT NULL,
  mailbox_id    INTEGER NOT NULL,
  uid           INTEGER NOT NULL,
  modseq        INTEGER NOT NULL,
  message_id    TEXT NOT NULL,    -- as callers know it
  labels        TEXT NOT NULL,    -- JSON array, sorted
  hidden        INTEGER NOT NULL, -- from labels
  timestamp     INTEGER NOT NULL,
  internal_date INTEGER NOT NULL,
  size          INTEGER NOT NULL,
  preview       TEXT NOT NULL,
  attachments   TEXT,             -- JSON array
  folded        TEXT NOT NULL,    -- sender, recipients, subject in lower case, for filters
  envelope      TEXT NOT NULL,    -- JSON
  structure     TEXT NOT NULL,    -- JSON
  bodies        TEXT NOT NULL,    -- JSON: the text and the HTML part
  blob_id       INTEGER NOT NULL,
  trace         BLOB,             -- header fields of ours, before the blob's bytes
  trace_id      TEXT NOT NULL,
  created_at    INTEGER NOT NULL,
  updated_at    INTEGER NOT NULL,
  UNIQUE (pod_id, id, inbox_id),
  UNIQUE (pod_id, inbox_id, message_id),
  UNIQUE (pod_id, mailbox_id, uid),
  FOREIGN KEY (pod_id, inbox_id) REFERENCES inboxes (pod_id, id),
  FOREIGN KEY (pod_id, thread_id, inbox_id) REFERENCES threads (pod_id, id, inbox_id),
  FOREIGN KEY (pod_id, inbox_id, mailbox_id) REFERENCES mailboxes (pod_id, inbox_id, id),
  FOREIGN KEY (pod_id, blob_id) REFERENCES blobs (pod_id, id)
);
CREATE INDEX messages_by_time ON messages (pod_id, inbox_id, timestamp, id);
CREATE INDEX messages_by_thread ON messages (pod_id, thread_id, inbox_id, timestamp, id);
CREATE INDEX messages_by_modseq ON messages (pod_id, mailbox_id, modseq);
CREATE INDEX messages_by_blob ON messages (pod_id, blob_id);

CREATE TABLE message_labels (
  pod_id     INTEGER NOT NULL,
  inbox_id   INTEGER NOT NULL,
  label      TEXT NOT NULL,
  timestamp  INTEGER NOT NULL,
  message_id INTEGER NOT NULL,
  PRIMARY KEY (pod_id, inbox_id, label, timestamp, message_id),
  FOREIGN KEY (pod_id, inbox_id) REFERENCES inboxes (pod_id, id)
) WITHOUT ROWID;

-- What left a mailbox, and at which modseq: expunged messages for sessions that look later.
CREATE TABLE expunges (
  pod_id     INTEGER NOT NULL,
  inbox_id   INTEGER NOT NULL,
  mailbox_id INTEGER NOT NULL,
  modseq     INTEGER NOT NULL,
  uid        INTEGER NOT NULL,
  PRIMARY KEY (pod_id, mailbox_id, modseq, uid),
  FOREIGN KEY (pod_id, inbox_id, mailbox_id) REFERENCES mailboxes (pod_id, inbox_id, id)
) WITHOUT ROWID;

CREATE TABLE deliveries (
  id              INTEGER PRIMARY KEY AUTOINCREMENT,
  pod_id          INTEGER NOT NULL,
  inbox_id        INTEGER NOT NULL,
  message_id      INTEGER NOT NULL,
  sender          TEXT NOT NULL,
  recipient       TEXT NOT NULL,
  courier         TEXT NOT NULL, -- local, smtp
  state           TEXT NOT NULL, -- queued, delivered, bounced
  attempts        INTEGER NOT NULL DEFAULT 0,
  next_attempt_at INTEGER,
  last_error      TEXT,
  trace_id        TEXT NOT NULL,
  created_at      INTEGER NOT NULL,
  updated_at      INTEGER NOT NULL,
  FOREIGN KEY (pod_id, message_id, inbox_id) REFERENCES messages (pod_id, id, inbox_id)
);
CREATE INDEX deliveries_due ON deliveries (courier, next_attempt_at) WHERE state = 'queued';
CREATE INDEX deliveries_by_message ON deliveries (pod_id, message_id, inbox_id);

CREATE TABLE events (
  id         INTEGER PRIMARY KEY AUTOINCREMENT,
  pod_id     INTEGER, -- NULL: of the organization
  inbox_id   INTEGER, -- NULL: of the organization or the pod
  type       TEXT NOT NULL,
  message    INTEGER, -- row id; the message may be gone
  message_id TEXT,
  label      TEXT,
  details    TEXT,    -- JSON object
  created_at INTEGER NOT NULL,
  FOREIGN KEY (pod_id, inbox_id) REFERENCES inboxes (pod_id, id)
);
CREATE INDEX events_by_inbox ON events (pod_id, inbox_id, id);

-- Full-text search of the messages up to organization.indexed; later ones are waiting for it. The column scope holds the words p<pod> and i<inbox>, so that a search touches no other tenant's postings.
CREATE VIRTUAL TABLE search USING fts5 (
  scope, sender, recipients, subject, body,
  content = '', contentless_delete = 1, tokenize = 'unicode61 remove_diacritics 2'
);
