-- Who is told what happens in a pod reads on from where he was. Changes of labels are told by inbox only, and leave
-- this index alone.
CREATE INDEX events_by_pod ON events (pod_id, id) WHERE label IS NULL;

-- Events up to this one may have been removed for their age.
ALTER TABLE organization ADD COLUMN pruned INTEGER NOT NULL DEFAULT 0;
