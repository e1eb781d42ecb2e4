-- trigger.row: runs that make triggers fire, wait and fail; versions that follow one another
\getenv root PG_ABS_SRCDIR
\set lib :root '/lib/runtime.psql'
\i :lib
SET client_min_messages = warning;
CREATE TABLE t (id int, n int);
CREATE TABLE mark (id serial, w text);
CREATE FUNCTION flow(name text, config jsonb, sql text, settings jsonb DEFAULT '{}') RETURNS int LANGUAGE sql AS $$
	SELECT wf_save(name, jsonb_build_object('nodes', jsonb_build_array(
		jsonb_build_object('id', 'changed', 'type', 'trigger.row', 'config', config),
		jsonb_build_object('id', 'do', 'type', 'db.query', 'config', jsonb_build_object('sql', sql, 'params', '["{{ $trigger.new.n }}"]'::jsonb))),
		'edges', '[{"source": "changed", "target": "do"}]'::jsonb, 'settings', settings)) $$;
CREATE FUNCTION oids() RETURNS text LANGUAGE sql AS $$ SELECT string_agg(oid::text, ' ' ORDER BY oid) FROM pg_trigger WHERE tgname LIKE 'wf\_%' $$;

-- a sync run that changes its own table, until the writer is told
SELECT flow('self', '{"table": "t", "events": ["insert"], "mode": "sync"}', 'INSERT INTO t (n) SELECT $1::int + 1 WHERE $1::int < 5');
INSERT INTO t (n) VALUES (1);
SELECT n FROM t ORDER BY n;
SELECT count(*), count(DISTINCT input) FROM wf_runs;
SELECT flow('self', '{"table": "t", "events": ["insert"], "mode": "sync"}', 'INSERT INTO t (n) VALUES ($1::int + 1)');
SET workflow.max_trigger_chain = 4;
INSERT INTO t (n) VALUES (10);
SET workflow.max_trigger_chain = 1000;
\set VERBOSITY terse
INSERT INTO t (n) VALUES (10);
\set VERBOSITY default
RESET workflow.max_trigger_chain;
SELECT n FROM t WHERE n >= 10;
SELECT last_error FROM wf_triggers;
-- an error leaves the chain as it was
INSERT INTO t (n) SELECT 1 WHERE false;
SELECT flow('self', '{"table": "t", "events": ["insert"], "mode": "sync"}', 'INSERT INTO t (n) SELECT $1::int + 1 WHERE $1::int < 5');
INSERT INTO t (n) VALUES (3);
SELECT count(*) FROM t;
-- one that is async ends in a run that fails
TRUNCATE t;
SELECT wf_delete('self'), flow('chain', '{"table": "t", "events": ["insert"]}', 'INSERT INTO t (n) VALUES ($1::int + 1)');
INSERT INTO t (n) VALUES (1);
SELECT until($$SELECT EXISTS (SELECT FROM wf_runs WHERE workflow = 'chain' AND status = 'failed')$$);
SELECT test.clean();
SELECT max(n), count(*) FROM t;
SELECT status, count(*), min(error ->> 'code'), min(error ->> 'message') FROM wf_runs WHERE workflow = 'chain' GROUP BY 1 ORDER BY 1;
SELECT failed_count, last_error ->> 'code' FROM wf_triggers;
SELECT wf_delete('chain');

-- a sync run that waits goes on in the background, when the writer has committed
TRUNCATE t;
SELECT wf_save('waits', '{"nodes": [{"id": "changed", "type": "trigger.row", "config": {"table": "t", "events": ["insert"], "mode": "sync"}}, {"id": "m", "type": "db.create", "config": {"table": "mark", "values": {"w": "before"}}},
	{"id": "nap", "type": "delay", "config": {"duration": 0.01}}, {"id": "n", "type": "db.create", "config": {"table": "mark", "values": {"w": "after {{ $trigger.new.n }}"}}}],
	"edges": [{"source": "changed", "target": "m"}, {"source": "m", "target": "nap"}, {"source": "nap", "target": "n"}]}');
BEGIN;
INSERT INTO t (n) VALUES (1);
SELECT w FROM mark;
SELECT status FROM wf_runs WHERE workflow = 'waits';
ROLLBACK;
SELECT count(*) FROM wf_runs WHERE workflow = 'waits';
INSERT INTO t (n) VALUES (2);
SELECT until('SELECT NOT EXISTS (SELECT FROM wf.live)');
SELECT test.clean();
SELECT w FROM mark;
SELECT status, mode FROM (SELECT status, trigger AS mode FROM wf_runs WHERE workflow = 'waits') x;
SELECT wf_delete('waits');

-- failures of sync runs: the error is the statement's
CREATE FUNCTION boom() RETURNS int LANGUAGE plpgsql AS $$ BEGIN RAISE 'boom' USING ERRCODE = 'XX123', DETAIL = 'what', HINT = 'why'; END $$;
SELECT flow('fails', '{"table": "t", "events": ["insert"], "mode": "sync"}', 'SELECT boom() WHERE $1::int > 0');
\set VERBOSITY verbose
\set SHOW_CONTEXT always
SELECT test.error('INSERT INTO t (n) VALUES (1)');
\set VERBOSITY default
INSERT INTO t (n) VALUES (1);
\set SHOW_CONTEXT errors
SELECT fired_count, failed_count, last_error, last_fired_at IS NULL AS never, last_failed_at IS NULL AS never FROM wf_triggers;
INSERT INTO t (n) VALUES (0);
BEGIN; INSERT INTO t (n) VALUES (0); SELECT fired_count FROM wf_triggers; ROLLBACK;
SELECT fired_count, failed_count FROM wf_triggers;
-- a limit of the run's time
SELECT flow('fails', '{"table": "t", "events": ["insert"], "mode": "sync"}', 'SELECT pg_sleep(20) WHERE $1::int > 0', '{"timeout": 0.05}');
INSERT INTO t (n) VALUES (1);
SELECT wf_delete('fails');
SELECT count(*) FROM wf_triggers;

-- versions: what stays is not touched
SELECT flow('v', '{"table": "t", "events": ["insert", "update"], "columns": ["n"], "when": "$trigger.new.n > 1"}', 'SELECT $1::int');
SELECT oids() AS before, trigger_id AS id FROM wf.trigger \gset
SELECT flow('v', '{"table": "t", "events": ["insert", "update"], "columns": ["n"], "when": "$trigger.new.n > 1"}', 'SELECT $1::int + 1');
SELECT oids() = :'before', trigger_id = :'id', version FROM wf.trigger;
SELECT wf_activate('v', 1);
SELECT oids() = :'before', trigger_id = :'id', version FROM wf.trigger;
-- a mode is not PostgreSQL's business
SELECT flow('v', '{"table": "public.t", "events": ["UPDATE", "insert"], "columns": ["n"], "when": "$trigger.new.n>1", "mode": "sync"}', 'SELECT $1::int + 1');
SELECT oids() = :'before', trigger_id = :'id', version FROM wf.trigger;
-- what changes is replaced, what goes is dropped
CREATE FUNCTION defs() RETURNS SETOF text LANGUAGE sql AS $$ SELECT regexp_replace(pg_get_triggerdef(oid), '_[0-9a-f]{16}_|[0-9a-f]{8}-[0-9a-f-]{27}', '#', 'g') || ' ' || tgenabled::text || ' ' || obj_description(oid) FROM pg_trigger WHERE tgname LIKE 'wf\_%' ORDER BY 1 $$;
SELECT flow('v', '{"table": "t", "events": ["update", "delete"], "level": "statement", "replica": true}', 'SELECT $1');
SELECT defs();
SELECT trigger_id = :'id', version FROM wf.trigger;
CREATE TABLE u (n int);
SELECT flow('v', '{"table": "u", "events": ["delete"]}', 'SELECT $1');
SELECT defs();
SELECT trigger_id = :'id', relation FROM wf.trigger;
-- not activated: nothing; activated: its own
SELECT wf_save('v', '{"nodes": [{"id": "other", "type": "trigger.row", "config": {"table": "t", "events": ["truncate"]}}, {"id": "off", "type": "trigger.row", "disabled": true, "config": {"table": "t", "events": ["truncate"]}}], "edges": []}', '{"activate": false}');
SELECT defs();
SELECT wf_activate('v', 6);
SELECT defs();
SELECT node, state, trigger_id = :'id' FROM wf_triggers JOIN wf.trigger USING (node);
-- paused, taken up, disabled by name, deleted
SELECT wf_set_status('v', 'paused'); SELECT count(*) FROM defs();
SELECT wf_disable_trigger('v', 'other'); SELECT wf_set_status('v', 'active'); SELECT count(*), (SELECT state FROM wf_triggers) FROM defs();
SELECT wf_activate('v', 6); SELECT count(*), (SELECT state FROM wf_triggers) FROM defs();
SELECT wf_enable_trigger('v', 'other'); SELECT count(*), (SELECT state FROM wf_triggers) FROM defs();
-- what its owner has disabled stays so in later versions
ALTER TABLE t DISABLE TRIGGER USER;
SELECT wf_save('v', '{"nodes": [{"id": "other", "type": "trigger.row", "config": {"table": "t", "events": ["truncate"], "when": "$trigger.table === \"t\""}}], "edges": []}');
SELECT defs();
BEGIN; SELECT wf_delete('v'); SELECT count(*) FROM defs(); ROLLBACK; SELECT count(*) FROM defs();
SELECT wf_delete('v'); SELECT count(*) FROM defs();
-- several triggers on several tables, which change places
SELECT wf_save('many', '{"nodes": [{"id": "a", "type": "trigger.row", "config": {"table": "t", "events": ["insert", "delete"]}}, {"id": "b", "type": "trigger.row", "config": {"table": "u", "events": ["insert"]}}], "edges": []}');
SELECT wf_save('many', '{"nodes": [{"id": "a", "type": "trigger.row", "config": {"table": "u", "events": ["insert"]}}, {"id": "b", "type": "trigger.row", "config": {"table": "t", "events": ["insert"]}}, {"id": "c", "type": "trigger.row", "config": {"table": "t", "events": ["insert"]}}], "edges": []}');
SELECT defs();
INSERT INTO u VALUES (1);
SELECT test.clean();
SELECT s.node, s.status FROM wf_steps s JOIN wf_runs r USING (run_id) WHERE workflow = 'many' ORDER BY 1;
SELECT wf_delete('many');

-- what fires again while a firing is under way: a cast to json that writes, and saves the workflow anew
CREATE TYPE odd AS ENUM ('0', '1', '2', '3', '4');
CREATE TABLE odds (id int, o odd);
CREATE FUNCTION save_odd(pad text) RETURNS int LANGUAGE sql AS $$
	SELECT wf_save('odd', jsonb_build_object('nodes', jsonb_build_array(jsonb_build_object('id', 'changed', 'type', 'trigger.row', 'config',
		jsonb_build_object('table', 'odds', 'events', '["insert"]'::jsonb, 'when', format('$trigger.new.id %% 1 === 0 && String($trigger.new.o) !== "%s"', pad)))), 'edges', '[]'::jsonb)) $$;
CREATE FUNCTION odd_json(o odd) RETURNS json LANGUAGE plpgsql AS $$
DECLARE v int := o::text::int;
BEGIN
	IF v > 0 THEN
		PERFORM save_odd(repeat('x', 5000 * v));
		INSERT INTO odds VALUES (v, (v - 1)::text::odd);
	END IF;
	RETURN to_json(v);
END $$;
CREATE CAST (odd AS json) WITH FUNCTION odd_json(odd);
SELECT save_odd('');
INSERT INTO odds VALUES (100, '4');
SELECT test.clean();
SELECT version, input #>> '{new,id}' AS id, input #>> '{new,o}' AS o FROM wf_runs WHERE workflow = 'odd' ORDER BY 2;

-- queries in parallel that run while a statement's runs are not written yet
CREATE TABLE big AS SELECT g AS n FROM generate_series(1, 5000) g;
ANALYZE big;
CREATE FUNCTION look(i int) RETURNS int LANGUAGE plpgsql STABLE PARALLEL RESTRICTED AS $$ BEGIN RETURN (SELECT count(*) FROM pg_class WHERE relname = 'big') + i; END $$;
CREATE FUNCTION ask() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	BEGIN
		PERFORM (SELECT sum(look(n)) FROM (SELECT n FROM big WHERE n % 1000 = 0 ORDER BY n) x);
	EXCEPTION WHEN division_by_zero THEN NULL;
	END;
	PERFORM look(n) FROM (SELECT n FROM big WHERE n % 1000 = 0 ORDER BY n) x;
	RETURN NULL;
END $$;
CREATE TABLE fast (n int);
SELECT wf_save('fast', '{"nodes": [{"id": "a", "type": "trigger.row", "config": {"table": "fast", "events": ["insert"]}}], "edges": []}');
CREATE TRIGGER zz AFTER INSERT ON fast FOR EACH ROW EXECUTE FUNCTION ask();
SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0; SET max_parallel_workers_per_gather = 2;
CREATE FUNCTION is_parallel(query text) RETURNS bool LANGUAGE plpgsql AS $$ DECLARE plan json; BEGIN EXECUTE 'EXPLAIN (FORMAT JSON) ' || query INTO plan; RETURN plan::text LIKE '%"Gather%'; END $$;
SELECT is_parallel('SELECT look(n) FROM (SELECT n FROM big WHERE n % 1000 = 0 ORDER BY n) x');
INSERT INTO fast SELECT generate_series(1, 3);
SELECT count(*) FROM wf_runs WHERE workflow = 'fast';
SELECT test.clean();
