-- Events that wait for the quiet time of a trigger with `debounce`. Who emits only inserts, so that nobody waits for anybody; the
-- keeper makes one row of those that belong together, and in the end one run. A row has no foreign key for the same
-- reason: the keeper drops those whose trigger is gone.

CREATE TABLE wf.debounce (
	tenant_id    uuid NOT NULL,
	trigger_id   uuid NOT NULL,
	event_id     uuid NOT NULL,
	event        text NOT NULL,
	correlation  text NOT NULL,
	n            bigint NOT NULL CHECK (n OPERATOR(pg_catalog.>) 0),
	emitted_at   timestamptz NOT NULL,
	due_at       timestamptz NOT NULL,
	role         regrole NOT NULL,
	chain        int NOT NULL,
	payload      jsonb NOT NULL,
	PRIMARY KEY (tenant_id, trigger_id, event_id)
);
CREATE INDEX debounce_due ON wf.debounce (due_at);
CREATE INDEX debounce_burst ON wf.debounce (tenant_id, trigger_id, correlation);
COMMENT ON TABLE wf.debounce IS 'events that wait until no other one has come for a while';
COMMENT ON COLUMN wf.debounce.correlation IS 'empty: the event has none';
COMMENT ON COLUMN wf.debounce.n IS 'events that the row is for; the other columns are of the last one';
COMMENT ON COLUMN wf.debounce.role IS 'who emitted it';
COMMENT ON COLUMN wf.debounce.chain IS 'triggers that led to it, one from another';

SELECT pg_catalog.pg_extension_config_dump('wf.debounce', '');
ALTER TABLE wf.debounce SET (autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_threshold = 5000);
