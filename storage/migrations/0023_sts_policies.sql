-- What domains of the world promise of TLS at their hosts (MTA-STS). They are nobody's: what one pod's mail brought to light
-- holds for all.
CREATE TABLE sts_policies (
  domain     TEXT PRIMARY KEY, -- in lower case
  policy     TEXT NOT NULL,    -- JSON object
  expires_at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX sts_policies_expiring ON sts_policies (expires_at);
