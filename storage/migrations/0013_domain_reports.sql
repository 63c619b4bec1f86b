-- What other hosts report of mail from a domain (DMARC), and of connections to its hosts (TLS).
CREATE TABLE domain_reports (
  id           INTEGER PRIMARY KEY AUTOINCREMENT,
  pod_id       INTEGER REFERENCES pods (id), -- NULL: the domain belongs to all pods
  domain_id    INTEGER NOT NULL,             -- there is no foreign key: such a domain has no pod to share
  kind         TEXT NOT NULL,                -- dmarc, tls
  organization TEXT NOT NULL,                -- who reports
  report_id    TEXT NOT NULL,
  begin_at     INTEGER,
  end_at       INTEGER,
  passed       INTEGER NOT NULL,             -- messages or sessions
  failed       INTEGER NOT NULL,
  details      TEXT NOT NULL,                -- JSON object
  created_at   INTEGER NOT NULL
);
CREATE UNIQUE INDEX domain_reports_by_report ON domain_reports (domain_id, kind, organization, report_id);
CREATE INDEX domain_reports_by_time ON domain_reports (domain_id, kind, created_at, id);
CREATE INDEX domain_reports_by_age ON domain_reports (created_at);
CREATE INDEX domain_reports_by_pod ON domain_reports (pod_id);
