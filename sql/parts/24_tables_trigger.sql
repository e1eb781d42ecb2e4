-- Triggers of active versions: what starts a run by itself. A row is made when a version is activated, and goes with the
-- version that has no such node any more. It has all that a start in the background needs, so that who starts one has to
-- compile nothing. Its statistics, and when a schedule is due, are in tables of their own: these change all the time,
-- and with this table every backend drops what it has cached.

CREATE TABLE wf.trigger (
	tenant_id    uuid NOT NULL,
	trigger_id   uuid NOT NULL,
	workflow_id  uuid NOT NULL,
	node         text NOT NULL,
	version      int NOT NULL,
	type         text NOT NULL,
	role         regrole NOT NULL,
	enabled      bool NOT NULL,
	installed    bool NOT NULL,
	definer      bool NOT NULL,
	priority     smallint NOT NULL,
	gate_size    int NOT NULL,
	gate_key     text,
	gate_policy  text,
	config       jsonb NOT NULL,
	search_path  text NOT NULL,
	relation     regclass,
	event        text,
	route        text,
	personal     bool NOT NULL DEFAULT false,
	PRIMARY KEY (tenant_id, trigger_id),
	UNIQUE (tenant_id, workflow_id, node),
	-- and so a dump restores it after the version that it is of: it fires at once
	FOREIGN KEY (tenant_id, workflow_id, version) REFERENCES wf.version ON DELETE CASCADE
);
CREATE INDEX trigger_type ON wf.trigger (tenant_id, type) WHERE installed;
CREATE INDEX trigger_event ON wf.trigger (tenant_id, event) WHERE event IS NOT NULL AND installed;
CREATE UNIQUE INDEX trigger_route ON wf.trigger (tenant_id, route) WHERE route IS NOT NULL;
COMMENT ON COLUMN wf.trigger.personal IS 'the version marks personal data';
COMMENT ON TABLE wf.trigger IS 'trigger nodes of active versions; installed: enabled, and the workflow is active';

SELECT pg_catalog.pg_extension_config_dump('wf.trigger', '');

CREATE TRIGGER invalidate AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON wf.trigger
	FOR EACH STATEMENT EXECUTE FUNCTION wf.invalidate();
COMMENT ON TRIGGER invalidate ON wf.trigger IS 'drops caches';
