-- Tables. tenant_id leads every key; foreign keys include it. History (run, segment) has no foreign
-- key: a check of the same workflow row by every run would make a hot spot of it, and history
-- outlives what it tells of. It is partitioned by time, which run ids begin with; partitions are made ahead and dropped
-- by the keeper (store/partition.c). These are no members of the extension, so that a dump has them whole: hence the
-- primary keys are those of the partitions, as a key of the whole table would be made twice when a dump is restored.

-- An index that does not begin with the tenant is on wf.veiled(column), where asking for a value would tell of another tenant's.
CREATE FUNCTION wf.veiled(value anyelement) RETURNS anyelement LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'wf_sql_veiled';
COMMENT ON FUNCTION wf.veiled(anyelement) IS 'its argument: an index on it cannot be asked before a policy';

CREATE TABLE wf.tenant (
	tenant_id   uuid NOT NULL PRIMARY KEY,
	name        text NOT NULL CHECK (name OPERATOR(pg_catalog.<>) '' AND pg_catalog.octet_length(name) OPERATOR(pg_catalog.<=) 255),
	parent_id   uuid REFERENCES wf.tenant,
	quotas      jsonb NOT NULL DEFAULT '{}',
	settings    jsonb NOT NULL DEFAULT '{}',
	created_at  timestamptz NOT NULL DEFAULT pg_catalog.now(),
	created_by  regrole NOT NULL,
	http_allow  text,
	http_deny   text,
	status      text NOT NULL DEFAULT 'active' CHECK (status OPERATOR(pg_catalog.=) ANY (ARRAY['active', 'suspended', 'archived', 'deleting'])),
	reserved_workers int NOT NULL DEFAULT 0 CHECK (reserved_workers OPERATOR(pg_catalog.>=) 0)
);
-- the name of one that is being deleted is free
CREATE UNIQUE INDEX tenant_name ON wf.tenant (wf.veiled(name)) WHERE status OPERATOR(pg_catalog.<>) 'deleting';
CREATE INDEX tenant_parent ON wf.tenant (parent_id);
CREATE INDEX tenant_halted ON wf.tenant (tenant_id) WHERE status OPERATOR(pg_catalog.<>) 'active';
CREATE INDEX tenant_reserving ON wf.tenant (tenant_id) WHERE reserved_workers OPERATOR(pg_catalog.>) 0;
CREATE INDEX tenant_quotas ON wf.tenant (tenant_id) WHERE quotas OPERATOR(pg_catalog.<>) '{}';
COMMENT ON TABLE wf.tenant IS 'owners of workflows, runs and tasks';
COMMENT ON COLUMN wf.tenant.quotas IS 'its own; those of all tenants above bind it as well';
COMMENT ON COLUMN wf.tenant.settings IS 'its own: what is missing is that of the nearest tenant above that has it; of limits of code the lowest holds';
COMMENT ON COLUMN wf.tenant.status IS 'its own: one below a tenant that is suspended is suspended, too';

CREATE TABLE wf.member (
	tenant_id    uuid NOT NULL REFERENCES wf.tenant ON DELETE CASCADE,
	role         regrole NOT NULL,
	app_role     text NOT NULL,
	granted_at   timestamptz NOT NULL DEFAULT pg_catalog.now(),
	granted_by   regrole NOT NULL,
	workflow_id  uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000',
	category     text NOT NULL DEFAULT '',
	PRIMARY KEY (tenant_id, role, workflow_id, category),
	CHECK (workflow_id OPERATOR(pg_catalog.=) '00000000-0000-0000-0000-000000000000' OR category OPERATOR(pg_catalog.=) ''),
	CHECK (app_role OPERATOR(pg_catalog.<>) 'owner'
		OR workflow_id OPERATOR(pg_catalog.=) '00000000-0000-0000-0000-000000000000' AND category OPERATOR(pg_catalog.=) '')
);
CREATE INDEX member_role ON wf.member (wf.veiled(role), tenant_id);
COMMENT ON TABLE wf.member IS 'database roles with their application role in a tenant, for all workflows of it or narrowed to some';
COMMENT ON COLUMN wf.member.workflow_id IS 'zeros: not narrowed to a workflow';
COMMENT ON COLUMN wf.member.category IS 'empty: not narrowed to a category';

CREATE TABLE wf.app_role (
	tenant_id    uuid NOT NULL REFERENCES wf.tenant ON DELETE CASCADE,
	name         text NOT NULL CHECK (name OPERATOR(pg_catalog.<>) '' AND pg_catalog.octet_length(name) OPERATOR(pg_catalog.<=) 255
		AND name OPERATOR(pg_catalog.<>) ALL (ARRAY['viewer', 'member', 'admin', 'owner'])),
	permissions  text[] NOT NULL,
	created_at   timestamptz NOT NULL DEFAULT pg_catalog.now(),
	created_by   regrole NOT NULL,
	PRIMARY KEY (tenant_id, name)
);
COMMENT ON TABLE wf.app_role IS 'application roles of a tenant''s own making';

CREATE TABLE wf.workflow (
	tenant_id      uuid NOT NULL REFERENCES wf.tenant ON DELETE CASCADE,
	workflow_id    uuid NOT NULL,
	name           text NOT NULL CHECK (name OPERATOR(pg_catalog.<>) '' AND pg_catalog.octet_length(name) OPERATOR(pg_catalog.<=) 255),
	description    text,
	category       text,
	status         text NOT NULL CHECK (status OPERATOR(pg_catalog.=) ANY (ARRAY['draft', 'active', 'paused', 'archived', 'deleted'])),
	active_version int,
	last_version   int NOT NULL DEFAULT 0,
	owner          regrole NOT NULL,
	created_at     timestamptz NOT NULL DEFAULT pg_catalog.now(),
	updated_at     timestamptz NOT NULL DEFAULT pg_catalog.now(),
	PRIMARY KEY (tenant_id, workflow_id)
);
CREATE UNIQUE INDEX workflow_name ON wf.workflow (tenant_id, name) WHERE status OPERATOR(pg_catalog.<>) 'deleted';
COMMENT ON TABLE wf.workflow IS 'named graphs; a deleted one stays for the history that names it';

CREATE TABLE wf.version (
	tenant_id    uuid NOT NULL,
	workflow_id  uuid NOT NULL,
	version      int NOT NULL CHECK (version OPERATOR(pg_catalog.>) 0),
	definition   jsonb NOT NULL,
	search_path  text NOT NULL,
	owner        regrole NOT NULL,
	label        text,
	comment      text,
	created_at   timestamptz NOT NULL DEFAULT pg_catalog.now(),
	saved_by     regrole NOT NULL DEFAULT pg_catalog.quote_ident(SESSION_USER)::pg_catalog.regrole,
	PRIMARY KEY (tenant_id, workflow_id, version),
	FOREIGN KEY (tenant_id, workflow_id) REFERENCES wf.workflow ON DELETE CASCADE
);
COMMENT ON TABLE wf.version IS 'immutable definitions; search_path and owner are those of the save';
COMMENT ON COLUMN wf.version.saved_by IS 'who was connected: the session''s role, where owner is the current one';

CREATE TABLE wf.block (
	tenant_id      uuid NOT NULL REFERENCES wf.tenant ON DELETE CASCADE,
	type           text NOT NULL,
	function       text NOT NULL,
	config_schema  jsonb NOT NULL,
	ports          text[] NOT NULL,
	created_at     timestamptz NOT NULL DEFAULT pg_catalog.now(),
	created_by     regrole NOT NULL,
	PRIMARY KEY (tenant_id, type)
);
COMMENT ON TABLE wf.block IS 'SQL functions registered as blocks; function is its qualified signature';

CREATE TABLE wf.run (
	tenant_id        uuid NOT NULL,
	run_id           uuid NOT NULL,
	workflow_id      uuid NOT NULL,
	version          int NOT NULL,
	attempt          int NOT NULL,
	started_at       timestamptz,
	finished_at      timestamptz,
	queued_at        timestamptz NOT NULL,
	wake_at          timestamptz,
	started_by       regrole NOT NULL,
	status           text NOT NULL,
	trigger          text NOT NULL,
	input            jsonb,
	output           jsonb,
	error            jsonb,
	correlation_id   text,
	tags             text[],
	idempotency_key  text,
	parent_run_id    uuid,
	current_nodes    text[],
	progress         jsonb
) PARTITION BY RANGE (run_id);
CREATE TABLE wf.run_default PARTITION OF wf.run (PRIMARY KEY (tenant_id, run_id)) DEFAULT
	WITH (toast_tuple_target = 8160);
COMMENT ON TABLE wf.run IS 'one row per run that has ended';
COMMENT ON TABLE wf.run_default IS 'runs of times that no partition was made for';

CREATE TYPE wf.step AS (
	seq          int,
	node         text,
	path         text,
	type         text,
	status       text,
	port         text,
	attempt      int,
	input_from   int,
	input        jsonb,
	output       jsonb,
	error        jsonb,
	started_at   timestamptz,
	duration_us  bigint,
	log          text[]
);
COMMENT ON TYPE wf.step IS 'a step as its segment''s row holds it; input_from is the step whose output was the input, 0 the run''s input';

CREATE TABLE wf.segment (
	tenant_id    uuid NOT NULL,
	run_id       uuid NOT NULL,
	segment      int NOT NULL,
	attempt      int NOT NULL,
	first_seq    int NOT NULL,
	started_at   timestamptz NOT NULL,
	finished_at  timestamptz NOT NULL,
	status       text NOT NULL,
	steps        wf.step[] NOT NULL
) PARTITION BY RANGE (run_id);
COMMENT ON TABLE wf.segment IS 'the journal: one row per segment, with its steps';

-- Steps repeat themselves (keys, types, statuses): lz4 makes a third of them in less time than writing the rest
-- takes. A server without it stores them as they are, since its other method costs more than it saves.
ALTER TABLE wf.segment ALTER COLUMN steps SET STORAGE MAIN;
DO $$
BEGIN
	ALTER TABLE wf.segment ALTER COLUMN steps SET COMPRESSION lz4;
	CREATE TABLE wf.segment_default PARTITION OF wf.segment (PRIMARY KEY (tenant_id, run_id, segment)) DEFAULT
		WITH (toast_tuple_target = 1024);
EXCEPTION
	WHEN feature_not_supported THEN
		CREATE TABLE wf.segment_default PARTITION OF wf.segment (PRIMARY KEY (tenant_id, run_id, segment)) DEFAULT
			WITH (toast_tuple_target = 8160);
END
$$;
COMMENT ON TABLE wf.segment_default IS 'the journal of runs of times that no partition was made for';

SELECT pg_catalog.pg_extension_config_dump('wf.tenant', '');
SELECT pg_catalog.pg_extension_config_dump('wf.member',
	'WHERE NOT (tenant_id = ''00000000-0000-7000-8000-000000000001'' AND role = (SELECT t.created_by FROM wf.tenant t WHERE t.tenant_id = member.tenant_id))');
SELECT pg_catalog.pg_extension_config_dump('wf.app_role', '');
SELECT pg_catalog.pg_extension_config_dump('wf.workflow', '');
SELECT pg_catalog.pg_extension_config_dump('wf.version', '');
SELECT pg_catalog.pg_extension_config_dump('wf.block', '');
SELECT pg_catalog.pg_extension_config_dump('wf.run', '');
SELECT pg_catalog.pg_extension_config_dump('wf.run_default', '');
SELECT pg_catalog.pg_extension_config_dump('wf.segment', '');
SELECT pg_catalog.pg_extension_config_dump('wf.segment_default', '');

-- Every backend's caches follow these tables, whoever changes them.
CREATE FUNCTION wf.invalidate() RETURNS trigger LANGUAGE c
	AS 'MODULE_PATHNAME', 'wf_sql_invalidate';
REVOKE ALL ON FUNCTION wf.invalidate() FROM PUBLIC;
COMMENT ON FUNCTION wf.invalidate() IS 'tells all backends to drop what they cached of the table';
CREATE TRIGGER invalidate AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON wf.tenant
	FOR EACH STATEMENT EXECUTE FUNCTION wf.invalidate();
CREATE TRIGGER invalidate AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON wf.member
	FOR EACH STATEMENT EXECUTE FUNCTION wf.invalidate();
CREATE TRIGGER invalidate AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON wf.app_role
	FOR EACH STATEMENT EXECUTE FUNCTION wf.invalidate();
CREATE TRIGGER invalidate AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON wf.workflow
	FOR EACH STATEMENT EXECUTE FUNCTION wf.invalidate();
CREATE TRIGGER invalidate AFTER UPDATE OR DELETE OR TRUNCATE ON wf.version
	FOR EACH STATEMENT EXECUTE FUNCTION wf.invalidate();
CREATE TRIGGER invalidate AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON wf.block
	FOR EACH STATEMENT EXECUTE FUNCTION wf.invalidate();
COMMENT ON TRIGGER invalidate ON wf.tenant IS 'drops caches';
COMMENT ON TRIGGER invalidate ON wf.member IS 'drops caches';
COMMENT ON TRIGGER invalidate ON wf.app_role IS 'drops caches';
COMMENT ON TRIGGER invalidate ON wf.workflow IS 'drops caches';
COMMENT ON TRIGGER invalidate ON wf.version IS 'drops caches';
COMMENT ON TRIGGER invalidate ON wf.block IS 'drops caches';
