-- what a run may leave behind to be done later, when its transaction commits or in the next one: never with the rights of somebody else
\getenv root PG_ABS_SRCDIR
\set lib :root '/lib/attack.psql'
\i :lib
SELECT wf_grant('wf_test_victim', 'mine', 'member');
ALTER ROLE wf_test_victim SET workflow.tenant = 'mine';
CREATE TABLE seen (id int GENERATED ALWAYS AS IDENTITY, who name DEFAULT current_user, how text); GRANT INSERT ON seen TO PUBLIC;
CREATE VIEW told AS SELECT how, who FROM seen ORDER BY id;
\c - wf_test_mallory
CREATE FUNCTION of_mallory.note(how text) RETURNS int LANGUAGE plpgsql AS $$ BEGIN INSERT INTO public.seen (how) VALUES (how); RETURN 1; END $$;
CREATE FUNCTION of_mallory.noted() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM of_mallory.note(TG_TABLE_NAME || ' ' || TG_OP); RETURN NULL; END $$;
-- a trigger that is deferred, and that defers another one when it is executed
CREATE FUNCTION of_mallory.again() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM of_mallory.note('again ' || NEW.n); IF NEW.n > 0 THEN INSERT INTO of_mallory.again VALUES (NEW.n - 1); END IF; RETURN NULL; END $$;
CREATE TABLE of_mallory.deferred (n int); CREATE TABLE of_mallory.again (n int); CREATE TABLE of_mallory.p (id int PRIMARY KEY);
CREATE TABLE of_mallory.f (id int REFERENCES of_mallory.p DEFERRABLE INITIALLY DEFERRED);
CREATE CONSTRAINT TRIGGER x AFTER INSERT ON of_mallory.deferred DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION of_mallory.noted();
CREATE CONSTRAINT TRIGGER x AFTER INSERT ON of_mallory.again DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION of_mallory.again();
GRANT INSERT, SELECT ON ALL TABLES IN SCHEMA of_mallory TO PUBLIC;
CREATE FUNCTION of_mallory.now() RETURNS timestamptz LANGUAGE sql AS $$ SELECT of_mallory.note('now'); SELECT pg_catalog.now() $$;
\c - postgres
CREATE FUNCTION left_behind() RETURNS TABLE (what text) LANGUAGE sql AS $$
	SELECT 'cursor ' || name FROM pg_cursors WHERE is_holdable UNION ALL SELECT 'statement ' || name FROM pg_prepared_statements WHERE from_sql
	UNION ALL SELECT 'channel ' || c FROM pg_listening_channels() c UNION ALL SELECT 'temporary ' || relname FROM pg_class WHERE relpersistence = 't' AND pg_table_is_visible(oid) AND relkind = 'r'
	UNION ALL SELECT 'setting ' || name || ' = ' || s FROM (VALUES ('work_mem'), ('search_path'), ('my.own'), ('role'), ('row_security'), ('default_transaction_read_only'), ('DateStyle'), ('check_function_bodies'), ('standard_conforming_strings')) v (name), current_setting(name, true) s
		WHERE (name, s) NOT IN (VALUES ('work_mem', '4MB'), ('search_path', '"$user", public'), ('role', 'none'), ('row_security', 'on'), ('default_transaction_read_only', 'off'), ('DateStyle', 'Postgres, MDY'), ('check_function_bodies', 'on'), ('standard_conforming_strings', 'on')) AND s <> '' $$;

-- A definer's run, of somebody else: a superuser and another member execute it.
SELECT wf_use_tenant('mine');
SELECT format($f$
BEGIN; SELECT run('definer', %L); COMMIT; SELECT * FROM left_behind();
$f$, sql) FROM (VALUES
	('DECLARE c CURSOR WITH HOLD FOR SELECT of_mallory.note(''cursor'')'),
	('INSERT INTO of_mallory.deferred VALUES (1)'),
	('INSERT INTO of_mallory.again VALUES (2)'),
	('SET CONSTRAINTS ALL DEFERRED; INSERT INTO of_mallory.deferred VALUES (1)'),
	('INSERT INTO of_mallory.f VALUES (7)'),
	('CREATE TEMP TABLE pg_class (id int)'),
	('CREATE TEMP TABLE t (id int) ON COMMIT DROP'),
	('PREPARE p AS SELECT of_mallory.note(''prepared'')'),
	('LISTEN c'),
	('DISCARD ALL'),
	('DISCARD TEMP'),
	('DEALLOCATE ALL'),
	('SET search_path = of_mallory, pg_catalog'),
	('SET work_mem = ''5MB''; SET my.own = ''x''; SET row_security = off; SET DateStyle = ''German''; SET check_function_bodies = off; SET standard_conforming_strings = off'),
	('SET default_transaction_read_only = on'),
	('SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY'),
	('SET ROLE wf_test_victim'), ('SET ROLE NONE'), ('RESET ROLE'), ('SET SESSION AUTHORIZATION wf_test_victim'), ('SET SESSION AUTHORIZATION DEFAULT'), ('RESET SESSION AUTHORIZATION'), ('RESET ALL'),
	('SELECT set_config(''role'', ''postgres'', false)'), ('SELECT set_config(''session_authorization'', ''postgres'', true)'), ('UPDATE pg_settings SET setting = ''postgres'' WHERE name = ''role'''),
	('DO $d$ BEGIN EXECUTE ''RESET ROLE''; EXCEPTION WHEN OTHERS THEN EXECUTE ''SET SESSION AUTHORIZATION DEFAULT''; END $d$'),
	('ALTER ROLE CURRENT_USER SET role = postgres; SET ROLE postgres')) v (sql)
\gexec
-- nobody was noted, and nothing was done
TABLE told;
SELECT count(*) FROM of_mallory.again;
SELECT current_user, session_user;
-- what it may do it does as who saved it, and no more: immediate triggers, notes
SELECT run('definer', 'SELECT of_mallory.note(''in the run'')'), run('definer', 'SET CONSTRAINTS ALL IMMEDIATE; INSERT INTO of_mallory.deferred VALUES (1)');
TABLE told; TRUNCATE seen;
-- for the one who saved it, it is as if called by hand
\c - wf_test_mallory
BEGIN; SELECT run('definer', 'INSERT INTO of_mallory.again VALUES (1)'), run('definer', 'DECLARE c CURSOR WITH HOLD FOR SELECT of_mallory.note(''cursor'')'); COMMIT; CLOSE c;
\c - postgres
TABLE told; TRUNCATE seen;
-- another member
\c - wf_test_victim
BEGIN; SELECT run('definer', 'INSERT INTO of_mallory.again VALUES (1)'), run('definer', 'DECLARE c CURSOR WITH HOLD FOR SELECT of_mallory.note(''cursor'')'), run('definer', 'SET search_path = of_mallory'); COMMIT;
SHOW search_path; SELECT count(*) FROM pg_cursors;
\c - postgres
TABLE told;
-- a workflow within it, of whatever kind, has no more
\c - wf_test_mallory
SELECT wf_save('outer', '{"nodes": [{"id": "s", "type": "subworkflow", "config": {"workflow": "invoker", "input": "{{ $input }}"}}, {"id": "r", "type": "return", "config": {"value": "{{ $node.s.output }}"}}], "edges": [{"source": "s", "target": "r"}], "settings": {"security": "definer"}}');
\c - postgres
SELECT wf_use_tenant('mine');
BEGIN; SELECT run('outer', 'SELECT of_mallory.note(''inner'')'), run('outer', 'DECLARE c CURSOR WITH HOLD FOR SELECT of_mallory.note(''cursor'')'), run('outer', 'INSERT INTO of_mallory.deferred VALUES (1)'), run('outer', 'SET search_path = of_mallory'); COMMIT;
SHOW search_path; TABLE told; TRUNCATE seen;
-- after a failure, and after a dry run
SELECT run('definer', 'SET search_path = of_mallory; SELECT 1/0'); SHOW search_path;
SELECT wf_dry_run('definer', '"SET search_path = of_mallory"')->>'status'; SHOW search_path;
SELECT attempt('SELECT wf_call(''definer'', to_jsonb(''DECLARE c CURSOR WITH HOLD FOR SELECT 1''::text))'); SELECT wf_call('definer', '"SET search_path = of_mallory"'); SHOW search_path;
-- one that waits in the middle
\c - wf_test_mallory
SELECT wf_save('waits', '{"nodes": [{"id": "q", "type": "db.query", "config": {"sql": "SELECT public.does($1)", "params": ["{{ $input }}"]}}, {"id": "w", "type": "waitForEvent", "config": {"event": "e"}}], "edges": [{"source": "q", "target": "w"}], "settings": {"security": "definer"}}');
\c - postgres
SELECT wf_use_tenant('mine');
SELECT wf_run('waits', '"SET search_path = of_mallory"')->>'status' IN ('waiting', 'failed'); SHOW search_path; SELECT current_user;

-- A row trigger's run of mallory, when the superuser writes
CREATE TABLE touched (sql text); GRANT ALL ON touched TO wf_test_mallory;
\c - wf_test_mallory
SELECT wf_save('row', '{"nodes": [{"id": "t", "type": "trigger.row", "config": {"table": "public.touched", "events": ["insert"], "mode": "sync"}}, {"id": "q", "type": "db.query", "config": {"sql": "SELECT public.does($1)", "params": ["{{ $trigger.new.sql }}"]}}], "edges": [{"source": "t", "target": "q"}], "settings": {"security": "definer"}}');
\c - postgres
SELECT sql, attempt(format('INSERT INTO touched VALUES (%L)', sql)) FROM (VALUES ('SELECT of_mallory.note(''row'')'), ('SELECT 1; SET search_path = of_mallory'), ('INSERT INTO of_mallory.deferred VALUES (1)'),
	('DECLARE c CURSOR WITH HOLD FOR SELECT of_mallory.note(''cursor'')'), ('PREPARE p AS SELECT 1'), ('SET ROLE postgres'), ('CREATE TEMP TABLE t (id int)')) v (sql);
SHOW search_path; TABLE told; TRUNCATE seen;
SELECT wf_use_tenant('mine'); SELECT wf_delete('row'); SET workflow.tenant = '';

-- Transactions: blocks, and functions and procedures that blocks call, control none
\c - wf_test_mallory
CREATE PROCEDURE of_mallory.commits() LANGUAGE plpgsql AS $$ BEGIN INSERT INTO public.seen (how) VALUES ('before'); COMMIT; INSERT INTO public.seen (how) VALUES ('after'); END $$;
CREATE PROCEDURE of_mallory.rolls_back() LANGUAGE plpgsql AS $$ BEGIN ROLLBACK; END $$;
CREATE PROCEDURE of_mallory.chains() LANGUAGE plpgsql AS $$ BEGIN COMMIT AND CHAIN; END $$;
CREATE FUNCTION of_mallory.f_commits() RETURNS int LANGUAGE plpgsql AS $$ BEGIN COMMIT; RETURN 1; END $$;
SELECT run('invoker', s) FROM unnest('{COMMIT,ROLLBACK,ABORT,END,BEGIN,START TRANSACTION,SAVEPOINT s,RELEASE s,ROLLBACK TO s,PREPARE TRANSACTION ''x'',COMMIT AND CHAIN,CALL of_mallory.commits(),CALL of_mallory.rolls_back(),CALL of_mallory.chains(),SELECT of_mallory.f_commits(),"DO $d$ BEGIN COMMIT; END $d$","SELECT 1; COMMIT",VACUUM,CREATE DATABASE x,SET TRANSACTION ISOLATION LEVEL SERIALIZABLE}'::text[]) s;
SELECT s, attempt(format('SELECT wf_save(''x'', jsonb_build_object(''nodes'', jsonb_build_array(jsonb_build_object(''id'', ''a'', ''type'', ''db.query'', ''config'', jsonb_build_object(''sql'', %L)))))', s)) FROM unnest('{COMMIT,ROLLBACK,SAVEPOINT s,PREPARE TRANSACTION ''x'',SELECT 1; COMMIT,CALL of_mallory.commits(),DO $d$ BEGIN COMMIT; END $d$}'::text[]) s;
SELECT wf_run('x')->'error'->>'message';
SELECT wf_save('c', '{"nodes": [{"id": "a", "type": "db.call", "config": {"procedure": "of_mallory.commits"}}]}');
SELECT wf_run('c')->'error'->>'message'; SELECT attempt('SELECT wf_call(''c'')');
\c - postgres
TABLE told;
DROP EXTENSION workflow CASCADE;
DROP SCHEMA of_mallory CASCADE;
DROP OWNED BY wf_test_mallory, wf_test_victim, wf_test_stranger, wf_test_gate;
DROP ROLE wf_test_mallory, wf_test_victim, wf_test_stranger, wf_test_gate;
