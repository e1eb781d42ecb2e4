-- When schedules are due. A row is made with that of its trigger, and goes with it. next_at is moved on by the transaction that
-- starts the run, with the row locked: so no time is fired for twice, whoever looks, and however often.

CREATE TABLE wf.schedule (
	tenant_id    uuid NOT NULL,
	trigger_id   uuid NOT NULL,
	next_at      timestamptz,
	last_at      timestamptz,
	last_run_id  uuid,
	n_missed     bigint NOT NULL CHECK (n_missed OPERATOR(pg_catalog.>=) 0),
	n_skipped    bigint NOT NULL CHECK (n_skipped OPERATOR(pg_catalog.>=) 0),
	PRIMARY KEY (tenant_id, trigger_id),
	FOREIGN KEY (tenant_id, trigger_id) REFERENCES wf.trigger ON DELETE CASCADE
) WITH (fillfactor = 70);
CREATE INDEX schedule_next ON wf.schedule (next_at) WHERE next_at IS NOT NULL;
COMMENT ON TABLE wf.schedule IS 'when schedules of active versions are due';
COMMENT ON COLUMN wf.schedule.next_at IS 'null: it is not installed, or never due again';
COMMENT ON COLUMN wf.schedule.last_at IS 'the last time that it was due';
COMMENT ON COLUMN wf.schedule.last_run_id IS 'the last run that it started';
COMMENT ON COLUMN wf.schedule.n_missed IS 'due times that were found too late';
COMMENT ON COLUMN wf.schedule.n_skipped IS 'due times left out since the run before was alive';

SELECT pg_catalog.pg_extension_config_dump('wf.schedule', '');
