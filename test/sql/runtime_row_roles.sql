-- trigger.row: as whom runs execute, and who may do what
\getenv root PG_ABS_SRCDIR
\set lib :root '/lib/runtime.psql'
\i :lib
SET client_min_messages = warning;
CREATE ROLE wf_test_author LOGIN; CREATE ROLE wf_test_writer LOGIN; CREATE ROLE wf_test_outsider LOGIN; CREATE ROLE wf_test_nologin; CREATE ROLE wf_test_super SUPERUSER LOGIN;
SELECT wf_grant('wf_test_author', 'default', 'admin'), wf_grant('wf_test_writer', 'default', 'member'), wf_grant('wf_test_nologin', 'default', 'member');
GRANT USAGE ON SCHEMA test TO PUBLIC;
CREATE SCHEMA app; GRANT USAGE ON SCHEMA app TO PUBLIC;
CREATE TABLE app.orders (id int PRIMARY KEY, v text); CREATE TABLE app.plain (id int);
GRANT INSERT, SELECT, UPDATE ON app.orders, app.plain TO PUBLIC; GRANT TRIGGER ON app.orders TO wf_test_author;
CREATE TABLE app.seen (id serial, who text, started text, path text, tenant text); GRANT INSERT ON app.seen TO wf_test_author, wf_test_writer; GRANT USAGE ON SEQUENCE app.seen_id_seq TO PUBLIC;
CREATE FUNCTION trigger_of(mode text, security text) RETURNS int LANGUAGE sql AS $$
	SELECT wf_save('w', jsonb_build_object('nodes', jsonb_build_array(
		jsonb_build_object('id', 'changed', 'type', 'trigger.row', 'config', jsonb_build_object('table', 'orders', 'events', '["insert"]'::jsonb, 'mode', mode)),
		jsonb_build_object('id', 'see', 'type', 'db.query', 'config', '{"sql": "INSERT INTO seen (who, path, tenant) VALUES (current_user, current_setting(''search_path''), current_setting(''workflow.tenant''))"}'::jsonb)),
		'edges', '[{"source": "changed", "target": "see"}]'::jsonb, 'settings', jsonb_build_object('security', security))) $$;
CREATE VIEW seen AS SELECT who, path, tenant FROM app.seen ORDER BY id;

-- sync, invoker: as who writes; the session's settings are as they were
SET search_path = app, public;
SET ROLE wf_test_author;
SELECT trigger_of('sync', 'invoker');
RESET search_path;
SET ROLE wf_test_writer;
SET search_path = pg_catalog;
INSERT INTO app.orders VALUES (1);
SELECT current_user, current_setting('search_path'), current_setting('workflow.tenant', true);
RESET search_path;
RESET ROLE;
TABLE seen;
SELECT started_by, version FROM wf_runs;
-- who is no member is told, and other tables are left alone
SET ROLE wf_test_outsider;
INSERT INTO app.orders VALUES (2);
INSERT INTO app.plain VALUES (2);
-- a superuser acts for any tenant when asked to, but does not execute what its people wrote
SET ROLE wf_test_super;
INSERT INTO app.orders VALUES (3);
RESET ROLE;
SELECT id FROM app.orders;
SELECT failed_count, last_error FROM wf_triggers;
-- a member that may not execute
SELECT wf_grant('wf_test_outsider', 'default', 'viewer');
SET ROLE wf_test_outsider;
\set VERBOSITY terse
INSERT INTO app.orders VALUES (2);
\set VERBOSITY default
RESET ROLE;
SELECT wf_revoke('wf_test_outsider', 'default');

-- sync, definer: as who saved, whoever writes, within whatever tenant
TRUNCATE app.orders, app.seen;
SET search_path = app, public;
SET ROLE wf_test_author;
SELECT trigger_of('sync', 'definer');
RESET search_path;
SET ROLE wf_test_outsider;
INSERT INTO app.orders VALUES (1);
SELECT current_user, current_setting('search_path'), coalesce(current_setting('workflow.tenant', true), '');
RESET ROLE;
SELECT wf_create_tenant('other') IS NOT NULL;
SELECT wf_use_tenant('other');
INSERT INTO app.orders VALUES (2);
SELECT current_user, current_setting('workflow.tenant');
SELECT count(*) FROM wf_runs;
SELECT wf_use_tenant('default');
TABLE seen;
SELECT started_by FROM wf_runs ORDER BY run_id;
-- a run that fails leaves who the writer is, and its tenant
REVOKE INSERT ON app.seen FROM wf_test_author;
SET ROLE wf_test_outsider;
BEGIN;
SAVEPOINT s;
INSERT INTO app.orders VALUES (3);
ROLLBACK TO s;
SELECT current_user, current_setting('search_path');
INSERT INTO app.plain VALUES (3);
COMMIT;
DO $$ BEGIN INSERT INTO app.orders VALUES (4); EXCEPTION WHEN insufficient_privilege THEN RAISE WARNING '% as %', SQLERRM, current_user; END $$;
RESET ROLE;
GRANT INSERT ON app.seen TO wf_test_author;
-- the author loses the tenant
SELECT wf_revoke('wf_test_author', 'default');
SET ROLE wf_test_outsider;
\set VERBOSITY terse
INSERT INTO app.orders VALUES (5);
\set VERBOSITY default
RESET ROLE;
SELECT wf_grant('wf_test_author', 'default', 'admin');

-- async: the same roles, in the background
TRUNCATE app.orders, app.seen;
SET search_path = app, public;
SET ROLE wf_test_author;
SELECT trigger_of('async', 'definer');
RESET search_path;
SET ROLE wf_test_outsider;
INSERT INTO app.orders VALUES (1);
RESET ROLE;
SELECT test.clean();
SET search_path = app, public;
SET ROLE wf_test_author;
SELECT trigger_of('async', 'invoker');
RESET search_path;
SET ROLE wf_test_writer;
INSERT INTO app.orders VALUES (2);
RESET ROLE;
SELECT test.clean();
TABLE seen;
SELECT started_by, trigger, status, error ->> 'message' FROM wf_runs ORDER BY run_id DESC LIMIT 2;
-- a role that cannot log in has no workers
SET ROLE wf_test_nologin;
INSERT INTO app.orders VALUES (3);
RESET ROLE;
SELECT failed_count FROM wf_triggers;
-- a writer without rights on the queue, within a function of another's
CREATE FUNCTION app.as_writer(id int) RETURNS void LANGUAGE sql SECURITY DEFINER AS $$ INSERT INTO app.orders VALUES (id) $$;
ALTER FUNCTION app.as_writer OWNER TO wf_test_writer;
SET ROLE wf_test_outsider;
SELECT app.as_writer(10);
RESET ROLE;
SELECT test.clean();
SELECT who FROM seen OFFSET 2;

-- who may not save: nothing is installed
SET ROLE wf_test_writer;
SELECT test.error($$SELECT wf_save('x', '{"nodes": [{"id": "c", "type": "trigger.row", "config": {"table": "app.orders", "events": ["insert"]}}], "edges": []}')$$);
SELECT test.error($$SELECT wf_save('x', '{"nodes": [{"id": "c", "type": "trigger.row", "config": {"table": "wf.run", "events": ["insert"]}}], "edges": []}')$$);
SELECT test.error($$SELECT wf_save('x', '{"nodes": [{"id": "c", "type": "trigger.row", "config": {"table": "pg_catalog.pg_class", "events": ["insert"]}}], "edges": []}')$$);
RESET ROLE;
SELECT test.error(format($$SELECT wf_save('x', '{"nodes": [{"id": "c", "type": "trigger.row", "config": %s}], "edges": []}')$$, config)) FROM (VALUES
	('{"table": "missing", "events": ["insert"]}'), ('{"table": "app.order", "events": ["insert"]}'), ('{"table": "wf.run", "events": ["insert"]}'), ('{"table": "wf_runs", "events": ["insert"]}'), ('{"table": "pg_class", "events": ["insert"]}'), ('{"table": "information_schema.sql_parts", "events": ["insert"]}'),
	('{"table": "app.orders", "events": ["insert"], "when": "$trigger.old.id > 1"}'), ('{"table": "app.orders", "events": ["insert"], "when": "$trigger.new.nothing > 1"}'),
	('{"table": "app.orders", "events": ["upsert"]}'), ('{"table": "app.orders", "events": ["update"], "columns": ["w"]}'), ('{"table": "app.orders", "events": ["insert"], "columns": ["v"]}'),
	('{"table": "app.orders_pkey", "events": ["insert"]}'), ('{"table": "seen", "events": ["insert"], "level": "statement"}'), ('{"table": "app.seen_id_seq", "events": ["insert"]}'),
	('{"table": "a.b.c", "events": ["insert"]}'), ('{"table": "app.orders", "events": ["insert"], "mode": "both"}'), ('{"table": "app.orders", "events": ["insert"], "when": "$input.x"}')) c (config);
SELECT count(*) FROM pg_trigger WHERE tgname LIKE 'wf\_c\_%';
SELECT count(*) FROM wf.trigger WHERE node = 'c';
-- who may update workflows, but has no right on the table: pause is for all of them, taking up for who may
SET ROLE wf_test_writer;
SELECT wf_set_status('w', 'paused');
SELECT count(*) FROM pg_trigger WHERE tgrelid = 'app.orders'::regclass;
SELECT test.error($$SELECT wf_set_status('w', 'active')$$);
SELECT state FROM wf_triggers WHERE workflow = 'w';
RESET ROLE;
INSERT INTO app.orders VALUES (20);
SET ROLE wf_test_author;
SELECT wf_set_status('w', 'active');
RESET ROLE;

-- forged: triggers of others with our function
CREATE TABLE app.forge (id int, v text); ALTER TABLE app.forge OWNER TO wf_test_outsider;
SELECT tgname AS name, a[1] AS tenant, a[2] AS workflow FROM pg_trigger, string_to_array(encode(tgargs, 'escape'), '\000') a WHERE tgrelid = 'app.orders'::regclass \gset
TRUNCATE app.seen;
\set ECHO none
SET ROLE wf_test_outsider;
CREATE TRIGGER :name AFTER INSERT ON app.forge FOR EACH ROW EXECUTE FUNCTION wf.row_trigger(:'tenant', :'workflow', 'changed');
CREATE TRIGGER a1 BEFORE INSERT ON app.forge FOR EACH ROW EXECUTE FUNCTION wf.row_trigger(:'tenant', :'workflow', 'changed');
CREATE TRIGGER a2 AFTER INSERT ON app.forge FOR EACH ROW EXECUTE FUNCTION wf.row_trigger();
CREATE TRIGGER a3 AFTER INSERT ON app.forge FOR EACH ROW EXECUTE FUNCTION wf.row_trigger('', 'x', '');
CREATE TRIGGER a4 AFTER INSERT ON app.forge FOR EACH STATEMENT EXECUTE FUNCTION wf.row_trigger(:'tenant', :'workflow', 'nothing');
CREATE TRIGGER a5 AFTER INSERT ON app.forge FOR EACH ROW EXECUTE FUNCTION wf.row_trigger(:'tenant', :'workflow', 'changed', 'more', 'and more');
CREATE TRIGGER a6 AFTER UPDATE ON app.forge REFERENCING OLD TABLE AS o FOR EACH STATEMENT EXECUTE FUNCTION wf.row_trigger(:'workflow', :'tenant', 'changed');
CREATE CONSTRAINT TRIGGER a7 AFTER INSERT ON app.forge DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION wf.row_trigger(:'tenant', :'workflow', 'changed');
CREATE TRIGGER a8 BEFORE TRUNCATE ON app.forge FOR EACH STATEMENT EXECUTE FUNCTION wf.row_trigger(:'tenant', :'workflow', 'changed');
\set ECHO all
INSERT INTO app.forge VALUES (1);
DROP TRIGGER a1 ON app.forge;
INSERT INTO app.forge VALUES (1);
UPDATE app.forge SET id = 2;
TRUNCATE app.forge;
SELECT wf.row_trigger();
SELECT test.error('SELECT wf.trigger_problem(NULL, NULL)'), wf.trigger_problem(gen_random_uuid(), 'changed');
RESET ROLE;
SELECT test.clean();
SELECT count(*) FROM app.forge; SELECT count(*) FROM app.seen;
-- problems are of the current tenant's triggers
ALTER TABLE app.orders DISABLE TRIGGER :name;
SELECT wf.trigger_problem(:'workflow', 'changed') IS NULL;
SET ROLE wf_test_writer;
SELECT wf.trigger_problem(:'workflow', 'changed') IS NULL;
SET ROLE wf_test_outsider;
SELECT wf.trigger_problem(:'workflow', 'changed') IS NULL;
RESET ROLE;
SELECT wf_use_tenant('other');
SELECT wf.trigger_problem(:'workflow', 'changed') IS NULL;
SELECT wf_use_tenant('default');

-- the extension goes
SELECT regexp_replace(split_part(test.error('DROP EXTENSION workflow'), E'\n', 1), '_[0-9a-f]{16}_', '_#_');
INSERT INTO app.orders VALUES (30);
DROP EXTENSION workflow CASCADE;
SELECT count(*) FROM pg_trigger WHERE NOT tgisinternal;
INSERT INTO app.orders VALUES (31);
DROP SCHEMA app CASCADE;
DROP ROLE wf_test_author, wf_test_writer, wf_test_outsider, wf_test_nologin, wf_test_super;
