-- Who holds a delivery: a key of the organization, a pod or an inbox. What one holds no narrower key lets go.

ALTER TABLE deliveries ADD COLUMN held_by TEXT; -- organization, pod, inbox; NULL: it is not held
UPDATE deliveries SET held_by = 'organization' WHERE state = 'held'; -- it is not known by whom
