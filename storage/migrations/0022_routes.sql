-- How mail of a pod, or from a domain, goes to other hosts, where that is not as it is set for all.

CREATE TABLE routes (
  id           INTEGER PRIMARY KEY AUTOINCREMENT,
  pod_id       INTEGER REFERENCES pods (id), -- NULL: of a domain that belongs to all pods
  kind         TEXT NOT NULL,                -- pod, domain
  name         TEXT NOT NULL,                -- a domain, in lower case; of a pod its id
  direct       INTEGER NOT NULL,             -- to the destination's own hosts
  host         TEXT,                         -- a relay; NULL: as a wider route says
  port         TEXT,
  implicit_tls INTEGER NOT NULL,
  username     TEXT,
  password     TEXT,
  helo         TEXT,
  source       TEXT,                         -- address to connect from
  created_at   INTEGER NOT NULL,
  updated_at   INTEGER NOT NULL
);
CREATE UNIQUE INDEX routes_by_name ON routes (kind, name);
CREATE INDEX routes_by_pod ON routes (pod_id);
