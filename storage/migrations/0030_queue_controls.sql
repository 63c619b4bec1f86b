-- What was done to the queue by hand, by whichever process, and how often: of all pods together.

CREATE TABLE queue_controls (
  id     INTEGER PRIMARY KEY AUTOINCREMENT,
  pod_id INTEGER REFERENCES pods (id), -- NULL: all of them
  action TEXT NOT NULL UNIQUE,         -- retried, held, released, dropped
  total  INTEGER NOT NULL
);

CREATE INDEX deliveries_held ON deliveries (pod_id) WHERE state = 'held';
