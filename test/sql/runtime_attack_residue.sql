-- one worker, one role, two tenants: what a run of one leaves is not there for the next, of the other; and what a run breaks of its session it breaks for itself
\getenv root PG_ABS_SRCDIR
\set lib :root '/lib/attack.psql'
\i :lib
CREATE ROLE wf_test_both LOGIN; CREATE ROLE wf_test_group; GRANT wf_test_group TO wf_test_both;
SELECT wf_grant('wf_test_both', 'mine', 'member'), wf_grant('wf_test_both', 'theirs', 'member');
GRANT CREATE ON SCHEMA of_mallory TO wf_test_both; GRANT TEMPORARY ON DATABASE :DBNAME TO wf_test_both;
CREATE TABLE seen (id int GENERATED ALWAYS AS IDENTITY, pid int DEFAULT pg_backend_pid(), what text); GRANT INSERT, SELECT ON seen TO PUBLIC;
CREATE SEQUENCE counter; GRANT ALL ON SEQUENCE counter TO PUBLIC;
CREATE TABLE late (id int); GRANT ALL ON late TO PUBLIC;
CREATE FUNCTION late() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
	PERFORM set_config('my.own', 'late', false), set_config('work_mem', '7MB', false), pg_advisory_lock(3); EXECUTE 'PREPARE late AS SELECT 1'; EXECUTE 'DECLARE late CURSOR WITH HOLD FOR SELECT 1'; PERFORM nextval('counter');
	EXECUTE 'SET ROLE wf_test_group'; RETURN NULL; END $$;
CREATE CONSTRAINT TRIGGER late AFTER INSERT ON late DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION late();
CREATE FUNCTION mess() RETURNS text LANGUAGE plpgsql AS $$
DECLARE t text;
BEGIN
	EXECUTE 'CREATE TEMP TABLE of_one AS SELECT ''secret of one'' AS v'; EXECUTE 'CREATE TEMP TABLE pg_class (oid oid, relname name, relpersistence "char", relkind "char")';
	EXECUTE 'CREATE FUNCTION pg_temp.wf_current_tenant() RETURNS text LANGUAGE sql AS $f$ SELECT ''mine''::text $f$';
	EXECUTE 'PREPARE of_one AS SELECT ''secret of one'''; EXECUTE 'DECLARE of_one CURSOR WITH HOLD FOR SELECT ''secret of one''';
	PERFORM pg_advisory_lock(1), pg_advisory_lock_shared(2), nextval('counter'), setval('counter', 777), setseed(0.5);
	PERFORM set_config('my.own', 'secret of one', false), set_config('search_path', 'pg_temp, public', false), set_config('workflow.tenant', 'mine', false), set_config('application_name', 'secret of one', false), set_config('work_mem', '5MB', false), set_config('role', 'none', false),
		set_config('plpgsql.extra_errors', 'all', false), set_config('TimeZone', 'Asia/Tokyo', false), set_config('client_min_messages', 'debug1', false);
	INSERT INTO late VALUES (1);
	RETURN 'done';
END $$;
CREATE FUNCTION look() RETURNS text LANGUAGE plpgsql AS $$
DECLARE last text;
BEGIN
	BEGIN last := lastval()::text; EXCEPTION WHEN OTHERS THEN last := 'none'; END;
	BEGIN last := last || ' ' || currval('counter'); EXCEPTION WHEN OTHERS THEN last := last || ' none'; END;
	INSERT INTO seen (what) SELECT concat_ws(' ', 'tenant=' || wf_current_tenant(), 'runs=' || (SELECT count(*) FROM wf_runs WHERE workflow = 'mess'), 'temp=' || (SELECT count(*) FROM pg_catalog.pg_class WHERE relpersistence = 't' AND relkind = 'r' AND relnamespace = pg_my_temp_schema()), 'of_one=' || (to_regclass('of_one') IS NULL),
		'prepared=' || (SELECT count(*) FROM pg_prepared_statements WHERE from_sql), 'cursors=' || (SELECT count(*) FROM pg_cursors WHERE is_holdable), 'locks=' || (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()), 'last=' || last,
		'my=' || coalesce(nullif(current_setting('my.own', true), ''), 'none'), 'path=' || current_setting('search_path'), 'app=' || current_setting('application_name'), 'work_mem=' || current_setting('work_mem'), 'zone=' || current_setting('TimeZone'), 'messages=' || current_setting('client_min_messages'), 'user=' || current_user || '/' || session_user, 'listen=' || (SELECT count(*) FROM pg_listening_channels()));
	RETURN 'done';
END $$;
CREATE FUNCTION save_both(security text) RETURNS int LANGUAGE sql AS $$
	SELECT wf_save('mess', jsonb_build_object('nodes', '[{"id": "a", "type": "db.query", "config": {"sql": "SELECT public.mess()"}}]'::jsonb, 'settings', jsonb_build_object('security', security)));
	SELECT wf_save('look', jsonb_build_object('nodes', '[{"id": "a", "type": "db.query", "config": {"sql": "SELECT public.look()"}}]'::jsonb, 'settings', jsonb_build_object('security', security))) $$;
\c - wf_test_both
SET workflow.tenant = 'mine'; SELECT save_both('invoker'); SET workflow.tenant = 'theirs'; SELECT save_both('definer');
CREATE TABLE of_mallory.runs (id uuid, tenant text);
-- one after the other, and together in one transaction of the worker
CREATE PROCEDURE of_mallory.alternate(n int, together bool) LANGUAGE plpgsql AS $$
BEGIN
	FOR i IN 1..n LOOP
		PERFORM set_config('workflow.tenant', 'mine', false); INSERT INTO of_mallory.runs SELECT wf_start('mess'), 'mine';
		IF NOT together THEN COMMIT; PERFORM wf_await(id, '60 s') FROM of_mallory.runs WHERE tenant = 'mine' ORDER BY id DESC LIMIT 1; END IF;
		PERFORM set_config('workflow.tenant', 'theirs', false); INSERT INTO of_mallory.runs SELECT wf_start('look'), 'theirs';
		COMMIT;
		IF NOT together THEN PERFORM wf_await(id, '60 s') FROM of_mallory.runs WHERE tenant = 'theirs' ORDER BY id DESC LIMIT 1; END IF;
	END LOOP;
END $$;
CALL of_mallory.alternate(15, false);
CALL of_mallory.alternate(15, true);
SET workflow.tenant = 'theirs'; SELECT wf_await(id, '60 s')->>'status', count(*) FROM of_mallory.runs WHERE tenant = 'theirs' GROUP BY 1;
SET workflow.tenant = 'mine'; SELECT wf_await(id, '60 s')->>'status', count(*) FROM of_mallory.runs WHERE tenant = 'mine' GROUP BY 1;
SELECT replace(what, current_setting('TimeZone'), 'ours') AS what, count(*) FROM seen GROUP BY 1;
-- some were executed by one process
SELECT count(DISTINCT pid) < 30 FROM seen;
-- what a run does to the session that it ends in: it has an end, and the next one is as if it had not been
\c - postgres
SELECT wf_use_tenant('mine');
\c - wf_test_mallory
CREATE TABLE of_mallory.breaks (sql text, id uuid); CREATE TABLE of_mallory.after (id uuid);
INSERT INTO of_mallory.breaks (sql) SELECT unnest('{SET row_security = off,SET default_transaction_read_only = on,SET TRANSACTION READ ONLY,SET transaction_read_only = on,SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY,SET statement_timeout = 1,SET lock_timeout = 1,SET idle_in_transaction_session_timeout = 1,SET search_path = pg_temp,SET workflow.tenant = ''theirs'',SET workflow.tenant = ''absent'',SET DateStyle = ''German'',SET bytea_output = escape,SET IntervalStyle = iso_8601,SET extra_float_digits = -15,SET client_encoding = ''SQL_ASCII'',SET client_encoding = ''LATIN1'',SET standard_conforming_strings = off,SET default_tablespace = pg_global,SET temp_tablespaces = '''',SET default_table_access_method = heap,SET constraint_exclusion = on,SET enable_indexscan = off,SET role = none,SET ROLE wf_engine,SET ROLE postgres,RESET ROLE,SET SESSION AUTHORIZATION DEFAULT,SET SESSION AUTHORIZATION postgres,RESET ALL,DISCARD ALL,DISCARD PLANS,DISCARD SEQUENCES,DISCARD TEMP,DEALLOCATE ALL,CLOSE ALL,LISTEN x,UNLISTEN *,NOTIFY x\, ''y'',SET CONSTRAINTS ALL DEFERRED,SELECT pg_terminate_backend(pg_backend_pid()),SELECT pg_cancel_backend(pg_backend_pid()),SELECT pg_notify(''x''\, ''y''),SET exit_on_error = on,SET max_stack_depth = 100,SET work_mem = 64,SET temp_buffers = 100,SET jit = on,SET plan_cache_mode = force_generic_plan,SET session_replication_role = replica,SET backslash_quote = off,SET transform_null_equals = on,SET array_nulls = off,SET quote_all_identifiers = on,SET xmloption = document,SET workflow.expression_time = 1,SET workflow.max_output_size = 1,SET debug_discard_caches = 1,SET synchronous_commit = off,SET local_preload_libraries = ''x'',DO $d$ BEGIN RAISE EXCEPTION USING ERRCODE = ''57P01''\, MESSAGE = ''x''; END $d$,DO $d$ BEGIN RAISE EXCEPTION USING ERRCODE = ''57014''\, MESSAGE = ''x''; END $d$,DO $d$ BEGIN RAISE EXCEPTION USING ERRCODE = ''40001''\, MESSAGE = ''x''; END $d$,DO $d$ BEGIN RAISE EXCEPTION USING ERRCODE = ''WF015''\, MESSAGE = ''x''; END $d$,DO $d$ BEGIN RAISE EXCEPTION USING ERRCODE = ''53200''\, MESSAGE = ''x''; END $d$,DO $d$ BEGIN RAISE EXCEPTION USING ERRCODE = ''XX000''\, MESSAGE = ''x''; END $d$}'::text[]);
UPDATE of_mallory.breaks SET id = wf_start('invoker', to_jsonb(sql));
SELECT sql, e->>'status' FROM of_mallory.breaks, wf_await(id, '60 s') e WHERE e->>'status' NOT IN ('completed', 'failed');
-- the rest of each run, and of the worker, is well
INSERT INTO of_mallory.after SELECT wf_start('invoker', '"SELECT 1"') FROM generate_series(1, 20);
SELECT e->>'status', count(*) FROM of_mallory.after, wf_await(id, '60 s') e GROUP BY 1;
SELECT sql, concat_ws(' ', e->'error'->>'code', e->'error'->>'message') FROM of_mallory.breaks, wf_await(id, '60 s') e WHERE e->>'status' <> 'completed' ORDER BY sql COLLATE "C";
\c - postgres
SELECT problem FROM wf.check_invariants();
DROP EXTENSION workflow CASCADE; DROP SCHEMA of_mallory CASCADE;
DROP OWNED BY wf_test_mallory, wf_test_victim, wf_test_stranger, wf_test_gate, wf_test_both, wf_test_group;
DROP ROLE wf_test_mallory, wf_test_victim, wf_test_stranger, wf_test_gate, wf_test_both, wf_test_group;
