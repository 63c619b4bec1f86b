-- What came in of domains that want DMARC reports, by day, until that day's report is sent. It is the organization's, and
-- holds nothing of who got the mail.

CREATE TABLE dmarc_counts (
  id        INTEGER PRIMARY KEY AUTOINCREMENT,
  pod_id    INTEGER REFERENCES pods (id), -- NULL
  day       INTEGER NOT NULL,             -- when it began, UTC
  domain    TEXT NOT NULL,                -- of the policy
  published TEXT NOT NULL,                -- the policy
  alike     TEXT NOT NULL,                -- JSON object: what these messages have in common
  messages  INTEGER NOT NULL
);
CREATE UNIQUE INDEX dmarc_counts_by_day ON dmarc_counts (day, domain, alike);
CREATE INDEX dmarc_counts_by_pod ON dmarc_counts (pod_id);
