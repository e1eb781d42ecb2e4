-- who may call wf_webhook, as whom its runs execute, and what they leave behind in the session of who called
\getenv root PG_ABS_SRCDIR
\set lib :root '/lib/runtime.psql'
\i :lib
SET client_min_messages = warning;
CREATE ROLE wf_test_gate LOGIN; CREATE ROLE wf_test_ann LOGIN; CREATE ROLE wf_test_viewer; CREATE ROLE wf_test_none; CREATE ROLE wf_test_bea LOGIN;
GRANT wf_gateway TO wf_test_gate;
SELECT rolcanlogin, rolsuper, rolbypassrls, rolcreaterole, rolcreatedb, rolreplication FROM pg_roles WHERE rolname = 'wf_gateway';
SELECT wf_create_tenant('a') IS NOT NULL, wf_create_tenant('b') IS NOT NULL;
SELECT wf_grant('wf_test_ann', 'a', 'member'), wf_grant('wf_test_viewer', 'a', 'viewer'), wf_grant('wf_test_bea', 'b', 'member');
CREATE TABLE made (tenant text, "user" text, "session" text, started text);
GRANT INSERT, SELECT ON made TO wf_test_ann, wf_test_bea;
CREATE FUNCTION hook(path text, headers jsonb DEFAULT '{}') RETURNS text LANGUAGE sql AS $$
	SELECT regexp_replace(concat_ws(' ', a->>'status', a->>'body'), '[0-9a-f]{8}-[0-9a-f-]{27}', '#', 'g') FROM wf_webhook(path, 'POST', headers, '') a $$;
CREATE FUNCTION save_hook(mode text, sql text) RETURNS int LANGUAGE sql AS $$
	SELECT wf_save(mode, jsonb_build_object('nodes', jsonb_build_array(jsonb_build_object('id', 'in', 'type', 'trigger.webhook', 'config', jsonb_build_object('path', '/' || mode, 'respond', mode)),
		jsonb_build_object('id', 'q', 'type', 'db.query', 'config', jsonb_build_object('sql', sql)), '{"id": "out", "type": "return", "config": {"value": "{{ $run.tenant }}"}}'::jsonb), 'edges', '[{"source": "in", "target": "q"}, {"source": "q", "target": "out"}]'::jsonb)) $$;
\set made 'INSERT INTO made VALUES (wf_current_tenant(), current_user, session_user, '''')'
SET ROLE wf_test_ann;
SELECT save_hook('immediately', :'made'), save_hook('whenDone', :'made');
SET ROLE wf_test_bea;
SELECT save_hook('immediately', :'made'), save_hook('whenDone', :'made');
RESET ROLE;

-- a gateway: all tenants, and the runs are their owners'
SET ROLE wf_test_gate;
SELECT p, hook(p) FROM unnest(ARRAY['/a/immediately', '/a/whenDone', '/b/whenDone', '/c/whenDone', '/default/whenDone', '/', '/a/nothing']) p;
SELECT current_user, current_setting('workflow.tenant');
SELECT count(*) FROM wf_runs;
SELECT count(*) FROM wf_workflows; SELECT count(*) FROM wf_triggers;
SELECT wf_current_tenant() IS NULL;
RESET ROLE;
SET workflow.tenant = 'a';
SELECT until('SELECT count(*) = 2 FROM wf_runs WHERE status = ''completed''');
SELECT workflow, trigger, started_by FROM wf_runs ORDER BY 1;
RESET workflow.tenant;
SELECT * FROM made ORDER BY 1, 3;
-- every other function is refused
\set VERBOSITY terse
CREATE FUNCTION refused(sql text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN EXECUTE sql; RETURN 'ALLOWED'; EXCEPTION WHEN OTHERS THEN RETURN SQLSTATE; END $$;
CREATE TEMP TABLE calls AS SELECT p.oid::regprocedure::text AS name, format('SELECT %s(%s)', p.oid::regproc, (SELECT string_agg(
	CASE t::regtype::text WHEN 'text' THEN '''immediately''' WHEN 'name' THEN '''wf_test_gate''' WHEN 'uuid' THEN 'gen_random_uuid()' WHEN 'jsonb' THEN '''{}''' WHEN 'jsonb[]' THEN '''{}''' WHEN 'integer' THEN '1' WHEN 'bigint' THEN '1' WHEN 'interval' THEN '''1 s'''
	WHEN 'boolean' THEN 'false' WHEN 'text[]' THEN '''{out}''' WHEN 'regprocedure' THEN '''hook(text,jsonb)''' WHEN 'timestamp with time zone' THEN 'now()' ELSE '''?''' END || '::' || t::regtype, ', ' ORDER BY n) FROM unnest(p.proargtypes) WITH ORDINALITY u (t, n))) AS sql
	FROM pg_proc p JOIN pg_depend d ON d.objid = p.oid AND d.classid = 'pg_proc'::regclass AND d.deptype = 'e' WHERE p.pronamespace = 'public'::regnamespace AND p.proname <> 'wf_webhook';
GRANT SELECT ON calls TO PUBLIC;
SET ROLE wf_test_gate;
SELECT count(*) > 40 AS many FROM calls;
SELECT name, r FROM calls, refused(sql) r WHERE r <> '42501' ORDER BY 1;
SELECT refused('TABLE wf.trigger'), (SELECT count(*) FROM wf.trigger), (SELECT count(*) FROM wf.secret WHERE false), refused('INSERT INTO wf.trigger DEFAULT VALUES');
RESET ROLE;

-- a role that may take the gateway's place
CREATE ROLE wf_test_front NOINHERIT; GRANT wf_gateway TO wf_test_front;
SET ROLE wf_test_front;
SELECT refused($$SELECT hook('/a/whenDone')$$);
RESET ROLE;
SET SESSION AUTHORIZATION wf_test_front; SET ROLE wf_gateway;
SELECT hook('/a/whenDone');
RESET SESSION AUTHORIZATION;

-- members of the tenant who may execute; all others are refused, whatever there is
SET ROLE wf_test_ann;
SELECT hook('/a/whenDone'), hook('/a/nothing'), refused($$SELECT hook('/b/whenDone')$$), refused($$SELECT hook('/c/whenDone')$$), refused($$SELECT hook(NULL)$$);
SET ROLE wf_test_viewer;
SELECT refused($$SELECT hook('/a/whenDone')$$), refused($$SELECT hook('/a/nothing')$$);
SET ROLE wf_test_none;
SELECT refused($$SELECT hook('/a/whenDone')$$), refused($$SELECT hook('/a/nothing')$$), refused($$SELECT hook('')$$);
\set VERBOSITY default
SELECT wf_webhook('/a/whenDone', 'POST', '{}', '');
RESET ROLE;

-- an owner who may not any more
SELECT wf_revoke('wf_test_bea', 'b');
SET ROLE wf_test_gate;
SELECT hook('/b/whenDone');
RESET ROLE;
SELECT wf_grant('wf_test_bea', 'b', 'member');
SET workflow.tenant = 'b';
SELECT node, failed_count, last_error FROM wf_triggers WHERE workflow = 'whenDone';
RESET workflow.tenant;

-- what a run in the caller's session would leave there: settings are as before; what would be done later with the caller's rights fails
GRANT CREATE ON SCHEMA public TO wf_test_ann;
SET ROLE wf_test_ann;
CREATE TABLE traps (n int);
CREATE FUNCTION trap() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO made VALUES ('trapped', current_user, session_user); RETURN NULL; END $$;
CREATE CONSTRAINT TRIGGER trap AFTER INSERT ON traps DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION trap();
CREATE FUNCTION try_hook(sql text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN PERFORM save_hook('whenDone', sql); RETURN NULL; END $$;
RESET ROLE;
GRANT EXECUTE ON FUNCTION try_hook TO wf_test_ann;
CREATE TEMP TABLE tries (n serial, sql text);
INSERT INTO tries (sql) VALUES ('SELECT set_config(''search_path'', ''evil'', false), set_config(''my.own'', ''x'', false)'), ('INSERT INTO traps VALUES (1)'), ('SELECT set_config(''role'', ''wf_test_gate'', false)'), ('SELECT set_config(''session_authorization'', ''wf_test_gate'', false)'), ('CREATE TEMP TABLE pg_temp_trap (n int)'), ('DECLARE c CURSOR WITH HOLD FOR SELECT 1'), ('LISTEN x'), ('PREPARE p AS SELECT 1'), ('SELECT set_config(''workflow.tenant'', ''b'', false)'), ('INSERT INTO made SELECT wf_current_tenant(), current_user, session_user');
DELETE FROM made;
GRANT SELECT ON tries TO wf_test_ann;
DO $$
DECLARE t record; said text;
BEGIN
	FOR t IN SELECT * FROM tries ORDER BY n LOOP
		SET LOCAL ROLE wf_test_ann;
		PERFORM try_hook(t.sql);
		SET LOCAL ROLE wf_test_gate;
		said := hook('/a/whenDone');
		RESET ROLE;
		RAISE WARNING '% -> %; % % % %', t.sql, said, current_user, current_setting('search_path'), current_setting('workflow.tenant'), current_setting('my.own', true);
	END LOOP;
END $$;
SELECT tenant, "user", "session" = session_user AS here FROM made;
SELECT count(*) FROM pg_cursors WHERE is_holdable; SELECT count(*) FROM pg_prepared_statements WHERE NOT from_sql; SELECT count(*) FROM pg_listening_channels();
SET workflow.tenant = 'a';
SELECT DISTINCT error->>'code', error->>'message' FROM wf_runs WHERE status = 'failed' ORDER BY 2;
RESET workflow.tenant;
SELECT * FROM test.clean();

-- a gateway with more rights than it must have is refused when the extension is made
DROP EXTENSION workflow CASCADE;
BEGIN;
ALTER ROLE wf_gateway LOGIN;
\set SHOW_CONTEXT never
CREATE EXTENSION workflow;
\set SHOW_CONTEXT errors
ROLLBACK;
SET client_min_messages = error;
DROP OWNED BY wf_test_ann, wf_test_bea;
DROP ROLE wf_test_gate, wf_test_ann, wf_test_viewer, wf_test_none, wf_test_bea, wf_test_front;
