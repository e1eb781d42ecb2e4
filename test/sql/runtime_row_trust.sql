-- trigger.row: authors and writers who do not trust each other
\getenv root PG_ABS_SRCDIR
\set lib :root '/lib/runtime.psql'
\i :lib
SET client_min_messages = warning;
CREATE ROLE wf_test_author LOGIN; CREATE ROLE wf_test_writer LOGIN; CREATE ROLE wf_test_gone LOGIN;
SELECT wf_grant('wf_test_author', 'default', 'admin'), wf_grant('wf_test_gone', 'default', 'admin'), wf_create_tenant('other') IS NOT NULL;
CREATE TABLE t (id int); CREATE TABLE seen (who text, session text, tenant text);
GRANT ALL ON t TO wf_test_author, wf_test_gone, wf_test_writer; GRANT INSERT ON seen TO wf_test_author, wf_test_gone;
CREATE FUNCTION does(sql text, mode text DEFAULT 'sync', security text DEFAULT 'definer') RETURNS int LANGUAGE sql AS $$
	SELECT wf_save('w', jsonb_build_object('nodes', jsonb_build_array(
		jsonb_build_object('id', 'changed', 'type', 'trigger.row', 'config', jsonb_build_object('table', 't', 'events', '["insert"]'::jsonb, 'mode', mode)),
		jsonb_build_object('id', 'do', 'type', 'db.query', 'config', jsonb_build_object('sql', sql))),
		'edges', '[{"source": "changed", "target": "do"}]'::jsonb, 'settings', jsonb_build_object('security', security))) $$;
CREATE FUNCTION run_sql(sql text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN EXECUTE sql; RETURN sql; END $$;

-- what a definer's run may not become
SET ROLE wf_test_author;
SELECT does('SELECT run_sql(''SET ROLE postgres'')');
RESET ROLE;
SELECT test.error('INSERT INTO t VALUES (1)');
SET ROLE wf_test_author;
SELECT does('SELECT run_sql(''RESET ROLE'')');
RESET ROLE;
SELECT test.error('INSERT INTO t VALUES (1)');
SET ROLE wf_test_author;
SELECT does('SELECT run_sql(''SET SESSION AUTHORIZATION DEFAULT'')');
RESET ROLE;
SELECT test.error('INSERT INTO t VALUES (1)');
-- what a run sets is gone with it: the writer's search_path, tenant and role are as they were
SET ROLE wf_test_author;
SELECT does('INSERT INTO seen SELECT current_user, session_user, set_config(''search_path'', ''evil'', false) || set_config(''workflow.tenant'', ''other'', false) || set_config(''my.own'', ''evil'', false)');
RESET ROLE;
SET my.own = 'mine';
INSERT INTO t VALUES (1);
SELECT current_user, current_setting('search_path'), current_setting('workflow.tenant', true), current_setting('my.own');
BEGIN;
SET LOCAL search_path = public, pg_temp;
SET LOCAL workflow.tenant = 'other';
INSERT INTO t VALUES (2);
SELECT current_setting('search_path'), current_setting('workflow.tenant');
COMMIT;
SELECT current_setting('search_path'), coalesce(current_setting('workflow.tenant', true), '');
TABLE seen;
-- a run may pause what it is a run of, or delete it: the statement's other rows start nothing any more
SET ROLE wf_test_author;
SELECT does('SELECT wf_set_status(''w'', ''paused'')');
RESET ROLE;
TRUNCATE t;
INSERT INTO t VALUES (3), (4), (5);
SELECT count(*), (SELECT state FROM wf_triggers), (SELECT count(*) FROM pg_trigger WHERE tgrelid = 't'::regclass), (SELECT count(*) FROM wf_runs WHERE input #>> '{new,id}' IN ('3', '4', '5')) FROM t;
SELECT wf_set_status('w', 'active');
SET ROLE wf_test_author;
SELECT does('SELECT wf_delete(''w'')');
RESET ROLE;
INSERT INTO t VALUES (6), (7), (8);
SELECT count(*), (SELECT count(*) FROM wf_triggers), (SELECT count(*) FROM pg_trigger WHERE tgrelid = 't'::regclass) FROM t;
-- or save it anew: from the next row on it is the new one
CREATE FUNCTION renew() RETURNS int LANGUAGE sql AS $$ SELECT does('INSERT INTO seen VALUES (''new'')') $$;
SET ROLE wf_test_author;
SELECT does('SELECT renew()');
RESET ROLE;
INSERT INTO t VALUES (10), (11), (12);
SELECT count(*) FROM seen WHERE who = 'new';
-- a run that commits
SET ROLE wf_test_author;
SELECT does('COMMIT');
SELECT does('SELECT run_sql(''COMMIT'')');
RESET ROLE;
SELECT test.error('INSERT INTO t VALUES (3)');

-- the role that saved the version is gone
SET ROLE wf_test_gone;
SELECT does('INSERT INTO seen VALUES (''gone'')');
RESET ROLE;
REVOKE ALL ON t, seen FROM wf_test_gone;
DROP OWNED BY wf_test_gone;
DROP ROLE wf_test_gone;
SELECT test.error('INSERT INTO t VALUES (4)');
UPDATE wf.trigger SET config = config || '{"mode": "async"}';
SELECT regexp_replace(test.error('INSERT INTO t VALUES (4)'), 'OID [0-9]+', '#');
SELECT test.clean();
SELECT * FROM seen WHERE who = 'gone';
SELECT status, error ->> 'code', error ->> 'message' FROM wf_runs ORDER BY run_id DESC LIMIT 2;
SELECT workflow, state, problem FROM wf_triggers;
-- its rows in wf.trigger say nothing that makes sense
SET ROLE wf_test_author;
SELECT does('SELECT 1');
RESET ROLE;
INSERT INTO t VALUES (5);
UPDATE wf.trigger SET config = '{}';
INSERT INTO t VALUES (6);
SELECT problem FROM wf_triggers;
UPDATE wf.trigger SET config = '{"table": "t", "events": ["delete"]}';
INSERT INTO t VALUES (7);
SELECT regexp_replace(problem, '[0-9a-f]{16}', '#') FROM wf_triggers;
UPDATE wf.trigger SET relation = 0;
INSERT INTO t VALUES (8);
SELECT problem FROM wf_triggers;
DELETE FROM wf.trigger;
INSERT INTO t VALUES (9);
SELECT id FROM t ORDER BY 1;
-- and the next activation puts it right
SET ROLE wf_test_author;
SELECT does('INSERT INTO seen VALUES (''again'')');
RESET ROLE;
TRUNCATE seen;
INSERT INTO t VALUES (10);
SELECT who FROM seen;
SELECT count(*) FROM pg_trigger WHERE tgrelid = 't'::regclass;
DROP TABLE t, seen;
DROP EXTENSION workflow CASCADE;
DROP OWNED BY wf_test_author, wf_test_writer;
DROP ROLE wf_test_author, wf_test_writer;
