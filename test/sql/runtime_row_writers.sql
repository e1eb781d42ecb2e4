-- trigger.row: what becomes of runs when the writer rolls back, and every way of writing
\getenv root PG_ABS_SRCDIR
\set lib :root '/lib/runtime.psql'
\i :lib
SET client_min_messages = warning;
CREATE TABLE t (id int PRIMARY KEY, v text);
CREATE TABLE mark (w text, op text, new int, old int);
-- a workflow of one trigger that leaves a mark; async ones have a run each
CREATE FUNCTION watch(name text, config jsonb, settings jsonb DEFAULT '{}') RETURNS int LANGUAGE sql AS $$
	SELECT wf_save(name, jsonb_build_object('nodes', jsonb_build_array(
		jsonb_build_object('id', 'changed', 'type', 'trigger.row', 'config', config),
		jsonb_build_object('id', 'mark', 'type', 'db.create', 'config', jsonb_build_object('table', 'mark', 'values',
			jsonb_build_object('w', name, 'op', '{{ $trigger.op }}', 'new', '{{ $trigger.new?.id }}', 'old', '{{ $trigger.old?.id }}')))),
		'edges', '[{"source": "changed", "target": "mark"}]'::jsonb, 'settings', settings)) $$;
CREATE FUNCTION runs(name text) RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(concat_ws(' ', input ->> 'op', input #>> '{old,id}' || '>', input #>> '{new,id}'), ', ' ORDER BY (input #>> '{new,id}')::int, (input #>> '{old,id}')::int, input ->> 'op') FROM wf_runs WHERE workflow = name $$;
CREATE FUNCTION marks() RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(concat_ws(' ', op, old || '>', new), ', ' ORDER BY w, new, old, op) FROM mark WHERE w = 's' $$;
SELECT watch('a', '{"table": "t", "events": ["insert", "update", "delete"]}'), watch('s', '{"table": "t", "events": ["insert", "update", "delete"], "mode": "sync"}');

-- rolled back: neither run nor queue row nor mark
BEGIN;
INSERT INTO t VALUES (1);
SELECT runs('a'), runs('s'), marks();
ROLLBACK;
BEGIN;
INSERT INTO t VALUES (2);
SAVEPOINT one;
INSERT INTO t VALUES (3);
ROLLBACK TO one;
INSERT INTO t VALUES (4);
SAVEPOINT two;
INSERT INTO t VALUES (5);
RELEASE two;
COMMIT;
SELECT runs('a'), runs('s'), marks();
-- blocks with exceptions
DO $$
BEGIN
	INSERT INTO t VALUES (6);
	BEGIN INSERT INTO t VALUES (7), (2); EXCEPTION WHEN unique_violation THEN NULL; END;
	BEGIN
		INSERT INTO t VALUES (8);
		BEGIN INSERT INTO t VALUES (9); RAISE 'no'; EXCEPTION WHEN raise_exception THEN NULL; END;
		INSERT INTO t VALUES (10);
	EXCEPTION WHEN raise_exception THEN NULL;
	END;
	BEGIN INSERT INTO t VALUES (11); RAISE 'no'; EXCEPTION WHEN raise_exception THEN NULL; END;
END $$;
SELECT runs('a'), runs('s');
-- subtransactions that are rolled back, and such that are not, within one statement
CREATE TABLE u (id int);
CREATE FUNCTION pass_on() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	BEGIN
		INSERT INTO t VALUES (NEW.id);
		IF NEW.id % 2 = 0 THEN RAISE 'even'; END IF;
	EXCEPTION WHEN raise_exception THEN INSERT INTO t VALUES (NEW.id + 100);
	END;
	RETURN NEW;
END $$;
CREATE TRIGGER pass_on AFTER INSERT ON u FOR EACH ROW EXECUTE FUNCTION pass_on();
SELECT watch('u', '{"table": "u", "events": ["insert"]}');
TRUNCATE mark;
INSERT INTO u SELECT generate_series(20, 25);
SELECT runs('a'), runs('u');
BEGIN;
SAVEPOINT a;
INSERT INTO u SELECT generate_series(30, 35);
ROLLBACK TO a;
INSERT INTO u VALUES (36);
COMMIT;
SELECT runs('u');
-- a statement that fails after rows have fired
\set VERBOSITY terse
INSERT INTO u VALUES (50), (51), (36);
\set VERBOSITY default
SELECT runs('u');
-- a procedure that commits and rolls back
CREATE PROCEDURE p() LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO u VALUES (60); COMMIT;
	INSERT INTO u VALUES (61); ROLLBACK;
	INSERT INTO u VALUES (62);
END $$;
CALL p();
SELECT runs('u');
TRUNCATE t, u, mark;

-- each way of writing
SELECT wf_delete('a'), wf_delete('u'), watch('w', '{"table": "t", "events": ["insert", "update", "delete", "truncate"]}');
INSERT INTO t VALUES (1), (2) ON CONFLICT DO NOTHING;
INSERT INTO t VALUES (2), (3) ON CONFLICT (id) DO UPDATE SET v = 'again';
INSERT INTO t VALUES (3) ON CONFLICT DO NOTHING;
MERGE INTO t USING (VALUES (3), (4)) s (id) ON t.id = s.id WHEN MATCHED THEN DELETE WHEN NOT MATCHED THEN INSERT VALUES (s.id);
WITH moved AS (DELETE FROM t WHERE id = 4 RETURNING *) INSERT INTO t SELECT id + 1 FROM moved;
UPDATE t SET id = 6 WHERE id = 5;
COPY t FROM STDIN;
7	copied
8	copied
\.
SELECT runs('w');
SELECT marks();
TRUNCATE t;
SELECT input FROM wf_runs WHERE workflow = 'w' AND input ->> 'op' = 'TRUNCATE';
-- COPY FREEZE
BEGIN;
TRUNCATE t;
COPY t FROM STDIN WITH (FREEZE);
9	frozen
\.
COMMIT;
SELECT count(*) FROM wf_runs WHERE workflow = 'w' AND input #>> '{new,v}' = 'frozen';
-- prepared statements, cursors, EXPLAIN ANALYZE
PREPARE ins AS INSERT INTO t VALUES ($1);
EXECUTE ins (10); EXECUTE ins (11);
DO $$ DECLARE c CURSOR FOR SELECT * FROM t WHERE id = 10 FOR UPDATE; r record; BEGIN OPEN c; FETCH c INTO r; UPDATE t SET v = 'cursor' WHERE CURRENT OF c; EXECUTE 'EXPLAIN ANALYZE INSERT INTO t VALUES (12)'; END $$;
SELECT runs('w');

-- transactions of other kinds
BEGIN ISOLATION LEVEL REPEATABLE READ;
INSERT INTO t VALUES (20);
INSERT INTO t VALUES (21);
COMMIT;
BEGIN ISOLATION LEVEL SERIALIZABLE;
INSERT INTO t VALUES (22);
COMMIT;
SELECT count(*) FROM mark WHERE w = 's' AND new BETWEEN 20 AND 22;
SELECT count(*) FROM wf_runs WHERE workflow = 'w' AND (input #>> '{new,id}')::int BETWEEN 20 AND 22;
BEGIN READ ONLY;
\set VERBOSITY terse
INSERT INTO t VALUES (23);
ROLLBACK;
\set VERBOSITY default
-- session_replication_role
SET session_replication_role = replica;
INSERT INTO t VALUES (30);
RESET session_replication_role;
SELECT count(*) FROM wf_runs WHERE (input #>> '{new,id}')::int = 30;
SELECT watch('w', '{"table": "t", "events": ["insert"], "replica": true}');
SET session_replication_role = replica;
INSERT INTO t VALUES (31);
RESET session_replication_role;
INSERT INTO t VALUES (32);
SELECT workflow, count(*) FROM wf_runs WHERE (input #>> '{new,id}')::int IN (31, 32) GROUP BY 1 ORDER BY 1;
-- deferred constraints whose triggers write at commit
CREATE TABLE d (id int);
CREATE FUNCTION deferred() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO t VALUES (NEW.id); RETURN NULL; END $$;
CREATE CONSTRAINT TRIGGER d AFTER INSERT ON d DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION deferred();
BEGIN;
INSERT INTO d VALUES (40);
SELECT count(*) FROM wf_runs WHERE (input #>> '{new,id}')::int = 40;
COMMIT;
SELECT workflow, count(*) FROM wf_runs WHERE (input #>> '{new,id}')::int = 40 GROUP BY 1 ORDER BY 1;
BEGIN;
INSERT INTO d VALUES (41);
SET CONSTRAINTS ALL IMMEDIATE;
SELECT count(*) FROM wf_runs WHERE (input #>> '{new,id}')::int = 41;
ROLLBACK;
SELECT count(*) FROM wf_runs WHERE (input #>> '{new,id}')::int = 41;

SELECT test.clean();
-- many rows: those of a writer that rolls back are gone
SELECT wf_delete('s'), wf_delete('w'), watch('each', '{"table": "t", "events": ["insert"]}');
SELECT wf_save('all', '{"nodes": [{"id": "x", "type": "trigger.row", "config": {"table": "t", "events": ["insert"], "level": "statement", "mode": "sync"}},
	{"id": "m", "type": "db.create", "config": {"table": "mark", "values": {"w": "all", "new": "{{ $trigger.new.length }}"}}}], "edges": [{"source": "x", "target": "m"}]}');
SELECT wf_save('few', '{"nodes": [{"id": "x", "type": "trigger.row", "config": {"table": "t", "events": ["insert"], "level": "statement", "when": "$trigger.new.length < 10"}}], "edges": []}');
TRUNCATE t, mark;
BEGIN;
COPY t (id) FROM PROGRAM 'seq 100000';
SELECT count(*), count(DISTINCT message_id), min((payload #>> '{new,id}')::int), max((payload #>> '{new,id}')::int) FROM wf.queue;
SELECT * FROM mark;
ROLLBACK;
SELECT count(*) FROM wf_runs WHERE workflow IN ('each', 'all', 'few');
SELECT wf_delete('each');
INSERT INTO t SELECT generate_series(1, 100000);
INSERT INTO t SELECT generate_series(100001, 100003);
INSERT INTO t SELECT 1 WHERE false;
SELECT * FROM mark;
SELECT jsonb_array_length(input -> 'new'), input -> 'old' FROM wf_runs WHERE workflow = 'few';
-- one run with more than it may hold fails the writer
SET workflow.max_context_size = '64kB';
\set VERBOSITY terse
INSERT INTO t SELECT generate_series(200001, 210000);
\set VERBOSITY default
RESET workflow.max_context_size;
SELECT max(id) FROM t;
SELECT test.clean();
