-- How connections to the hosts of domains fared under their TLS policies, by day, until that day's report is made; and
-- reports on their way. They are the organization's, and hold nothing of whose mail it was.

CREATE TABLE tls_counts (
  id       INTEGER PRIMARY KEY AUTOINCREMENT,
  pod_id   INTEGER REFERENCES pods (id), -- NULL
  day      INTEGER NOT NULL,             -- when it began, UTC
  domain   TEXT NOT NULL,                -- of the policy
  alike    TEXT NOT NULL,                -- JSON object: what these connections have in common
  sessions INTEGER NOT NULL
);
CREATE UNIQUE INDEX tls_counts_by_day ON tls_counts (day, domain, alike);
CREATE INDEX tls_counts_by_pod ON tls_counts (pod_id);

CREATE TABLE tls_reports (
  id              INTEGER PRIMARY KEY AUTOINCREMENT,
  pod_id          INTEGER REFERENCES pods (id), -- NULL
  domain          TEXT NOT NULL,                -- that it tells of
  recipient       TEXT NOT NULL,                -- an address, or a URL that it is posted to
  report          TEXT NOT NULL,                -- JSON object
  created_at      INTEGER NOT NULL,
  attempts        INTEGER NOT NULL DEFAULT 0,
  next_attempt_at INTEGER NOT NULL
);
CREATE INDEX tls_reports_due ON tls_reports (next_attempt_at);
CREATE INDEX tls_reports_by_pod ON tls_reports (pod_id);
