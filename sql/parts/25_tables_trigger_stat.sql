-- What triggers did, as the keeper saves it about once a second; what it has not saved yet is in wf.fired(). Statistics: a rollback
-- takes firings with it, a crash what was not saved. Rows of triggers that are gone go with the daily upkeep.

CREATE TABLE wf.trigger_stat (
	tenant_id    uuid NOT NULL,
	trigger_id   uuid NOT NULL,
	fired_at     timestamptz,
	n_fired      bigint NOT NULL CHECK (n_fired OPERATOR(pg_catalog.>=) 0),
	failed_at    timestamptz,
	n_failed     bigint NOT NULL CHECK (n_failed OPERATOR(pg_catalog.>=) 0),
	error        jsonb,
	PRIMARY KEY (tenant_id, trigger_id)
) WITH (fillfactor = 70);
COMMENT ON TABLE wf.trigger_stat IS 'how often triggers fired and failed, as of when that was last saved; see wf.fired()';
COMMENT ON COLUMN wf.trigger_stat.fired_at IS 'the last time; null: it never fired';
COMMENT ON COLUMN wf.trigger_stat.error IS 'the last one: {code, message}';

SELECT pg_catalog.pg_extension_config_dump('wf.trigger_stat', '');
