-- What senders call their messages (ENVID), by which reports on them can be told.
CREATE INDEX deliveries_by_envelope_id ON deliveries (pod_id, inbox_id, envelope_id) WHERE envelope_id IS NOT NULL;
