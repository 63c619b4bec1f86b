-- Running totals of the organization, each pod and each inbox: what there was, and what had happened, up to a moment.
-- What happened in any span is the difference of two rows, however many messages there are. The organization's rows
-- outlive its pods and inboxes.
CREATE TABLE metrics (
  id                       INTEGER PRIMARY KEY,
  pod_id                   INTEGER REFERENCES pods (id), -- NULL: organization
  inbox_id                 INTEGER,                      -- NULL: organization or pod
  at                       INTEGER NOT NULL,             -- to the millisecond
  storage_bytes            INTEGER NOT NULL,
  message_count            INTEGER NOT NULL,
  thread_count             INTEGER NOT NULL,
  inbox_count              INTEGER NOT NULL,
  domain_count             INTEGER NOT NULL,
  pod_count                INTEGER NOT NULL,
  received                 INTEGER NOT NULL,
  received_spam            INTEGER NOT NULL,
  received_blocked         INTEGER NOT NULL,
  received_unauthenticated INTEGER NOT NULL,
  sent                     INTEGER NOT NULL,
  delivered                INTEGER NOT NULL,
  bounced                  INTEGER NOT NULL,
  complained               INTEGER NOT NULL,
  rejected                 INTEGER NOT NULL,
  domain_verified          INTEGER NOT NULL,
  FOREIGN KEY (pod_id, inbox_id) REFERENCES inboxes (pod_id, id)
);
CREATE INDEX metrics_by_time ON metrics (pod_id, inbox_id, at);

-- What came and went and is not in the totals yet. A delivery adds a row at the end and pays for nothing else.
CREATE TABLE usage_changes (
  id            INTEGER PRIMARY KEY,
  pod_id        INTEGER REFERENCES pods (id), -- NULL: organization
  inbox_id      INTEGER,                      -- NULL: organization or pod
  at            INTEGER NOT NULL,
  storage_bytes INTEGER NOT NULL,
  message_count INTEGER NOT NULL,
  thread_count  INTEGER NOT NULL,
  inbox_count   INTEGER NOT NULL,
  domain_count  INTEGER NOT NULL,
  pod_count     INTEGER NOT NULL,
  FOREIGN KEY (pod_id, inbox_id) REFERENCES inboxes (pod_id, id)
);

-- Events up to this one are in the totals.
ALTER TABLE organization ADD COLUMN metered INTEGER NOT NULL DEFAULT 0;

-- What is there already.
INSERT INTO usage_changes (pod_id, inbox_id, at, storage_bytes, message_count, thread_count, inbox_count, domain_count, pod_count)
  SELECT * FROM (
    SELECT NULL, NULL, created_at AS at, 0, 0, 0, 0, 0, 1 FROM pods WHERE deleted = 0
    UNION ALL SELECT pod_id, NULL, created_at, 0, 0, 0, 0, 1, 0 FROM domains WHERE builtin = 0 AND deleted = 0
    UNION ALL SELECT pod_id, NULL, created_at, 0, 0, 0, 1, 0, 0 FROM inboxes WHERE address IS NOT NULL
    UNION ALL SELECT t.pod_id, t.inbox_id, t.created_at, 0, 0, 1, 0, 0, 0 FROM threads t JOIN inboxes i ON i.id = t.inbox_id AND i.address IS NOT NULL WHERE t.hidden <> '{}'
    UNION ALL SELECT m.pod_id, m.inbox_id, m.created_at, m.size, NOT EXISTS (SELECT 1 FROM drafts d WHERE d.pod_id = m.pod_id AND d.message_id = m.id AND d.inbox_id = m.inbox_id), 0, 0, 0, 0 FROM messages m JOIN inboxes i ON i.id = m.inbox_id AND i.address IS NOT NULL
  ) ORDER BY at;
